#pragma once

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/logger.hpp"
#include "base/result.hpp"
#include "commit/task_store.hpp"
#include "config/config.hpp"
#include "log/log.hpp"
#include "publish/publisher.hpp"

namespace weir::host {

/// What a running app and the commands that touch a stopped one build alike from the YAML.

/// The keys of `app.resolvers()` and so on in an order that does not change from run to run.
template <typename Map>
std::vector<std::string> sorted_names(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

/// The sources that a resolver reads, sorted. The others have no tasks.
std::vector<std::string> sources_with_tasks(const config::v1::App& app);

std::string task_name(const std::string& source, std::int32_t partition);
/// Of a task with such a name.
std::int32_t partition_of_task(std::string_view task);

/// Of a task in the state directory `state`.
TaskStore::Options store_options(const config::v1::App& app, const std::filesystem::path& state,
                                 const std::string& task);

std::optional<Partitioner> to_partitioner(config::v1::Partitioner partitioner);

/// Where the app's features and dead letters go.
class AppSinks {
 public:
  /// Makes the topics that are not there.
  static Result<AppSinks> open(const Config& config, Log& log, Logger& logger);

  /// As TaskOptions has them.
  const std::vector<std::string>& names() const { return names_; }

  /// The sinks of one of the app's `task_count` tasks. `stdout_mutex` outlives them.
  Result<TaskSinks> open_for(const Config& config, const std::string& task, std::int32_t partition,
                             std::int32_t task_count, std::mutex& stdout_mutex) const;

 private:
  std::vector<std::string> names_;
  std::vector<std::pair<std::string, TopicSink>> topics_;  // by sink
};

}  // namespace weir::host
