#include "app/app_parts.hpp"

#include <fmt/format.h>

#include "app/app_log.hpp"
#include "base/number.hpp"
#include "commit/state_directory.hpp"
#include "publish/outbox.hpp"

namespace weir::host {

std::vector<std::string> sources_with_tasks(const config::v1::App& app) {
  std::vector<std::string> names = sorted_names(app.sources());
  std::erase_if(names, [&](const std::string& name) {
    return std::none_of(app.resolvers().begin(), app.resolvers().end(),
                        [&](const auto& resolver) { return resolver.second.from() == name; });
  });
  return names;
}

std::string task_name(const std::string& source, std::int32_t partition) {
  return fmt::format("{}-{}", source, partition);
}

std::int32_t partition_of_task(std::string_view task) {
  return to_number<std::int32_t>(task.substr(task.rfind('-') + 1)).value_or(0);
}

TaskStore::Options store_options(const config::v1::App& app, const std::filesystem::path& state,
                                 const std::string& task) {
  return {.directory = StateDirectory::tasks_in(state) / task,
          .app = app.app(),
          .task = task,
          .map_bytes = app.state().map_size(),
          .sync = true,
          .at_step = {}};
}

std::optional<Partitioner> to_partitioner(config::v1::Partitioner partitioner) {
  switch (partitioner) {
    case config::v1::CONSISTENT:
      return Partitioner::consistent;
    case config::v1::ANY:
      return std::nullopt;
    default:
      return Partitioner::murmur2;
  }
}

Result<AppSinks> AppSinks::open(const Config& config, Log& log, Logger& logger) {
  const config::v1::App& app = config.app();
  AppSinks out;
  for (const std::string& name : sorted_names(app.sinks())) {
    const config::v1::Sink& sink = app.sinks().at(name);
    out.names_.push_back(name);
    if (sink.kind_case() != config::v1::Sink::kTopic) continue;
    WEIR_TRY(const auto info,
             ensure_topic(config, log, logger, sink.topic(), sink.partitions(), TopicUse::output));
    out.topics_.emplace_back(
        name, TopicSink{sink.topic(), info.partition_count, to_partitioner(sink.partitioner())});
  }
  const std::string& dead_letters = app.dead_letters().topic();
  WEIR_TRY(const auto info, ensure_topic(config, log, logger, dead_letters, 1, TopicUse::output));
  out.names_.emplace_back(dead_letter_sink);
  out.topics_.emplace_back(dead_letter_sink,
                           TopicSink{dead_letters, info.partition_count, std::nullopt});
  return out;
}

Result<TaskSinks> AppSinks::open_for(const Config& config, const std::string& task,
                                     std::int32_t partition, std::int32_t task_count,
                                     std::mutex& stdout_mutex) const {
  constexpr std::string_view placeholder = "{task}";
  TaskSinks sinks;
  sinks.partition = partition;
  for (const auto& [name, topic] : topics_) sinks.topics.emplace(name, topic);
  for (const auto& [name, sink] : config.app().sinks()) {
    if (sink.kind_case() == config::v1::Sink::kStdout) {
      sinks.lines.emplace(name, open_stdout_sink(stdout_mutex));
    } else if (sink.kind_case() == config::v1::Sink::kFile) {
      std::string path = sink.file();
      const std::size_t at = path.find(placeholder);
      if (at != std::string::npos) {
        path.replace(at, placeholder.size(), task);
      } else if (task_count > 1) {
        return error(Errc::config, "{}",
                     config.render({config.at(
                         fmt::format("sinks.{}.file", name),
                         fmt::format("sinks.{}.file: one file for {} tasks", name, task_count),
                         "write {task} in the path: each task appends to a file of its own")}));
      }
      WEIR_TRY(auto file, open_file_sink(config.resolve_path(path)));
      sinks.lines.emplace(name, std::move(file));
    }
  }
  return sinks;
}

}  // namespace weir::host
