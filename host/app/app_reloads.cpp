#include "app/app_reloads.hpp"

#include <algorithm>

#include "app/app_builds.hpp"
#include "app/app_schemas.hpp"

namespace weir::host {

namespace {

/// Of each partition.
constexpr std::int64_t probed_records_max = 100;

void add(ProbationFigures& sum, const TaskOptions& task, const TaskSnapshot& now,
         const std::string& plugin) {
  bool is_used = false;
  for (std::size_t i = 0; i < task.resolvers.size(); ++i) {
    if (split_use(task.resolvers[i].use).plugin != plugin) continue;
    const ResolverSnapshot& one = now.resolvers[i];
    const std::uint64_t rejected =
        one.outcomes.set_aside[static_cast<std::size_t>(SetAside::rejected)] + one.retries;
    sum.handled += one.outcomes.resolved + one.outcomes.skipped + rejected;
    sum.rejected += rejected;
    is_used = true;
  }
  if (!is_used) return;
  sum.records += now.records;
  sum.call_us += now.call_us;
}

}  // namespace

std::vector<ReloadApp::RunningTask> AppReloads::tasks() {
  std::vector<RunningTask> out;
  for (const auto& worker : parts_.workers) {
    for (const Worker::Assignment& assignment : worker->assignments()) {
      RunningTask& one = out.emplace_back();
      one.task = assignment.task.get();
      if (parts_.own_threads) one.has_ended = [&at = *worker] { return at.is_done(); };
    }
  }
  return out;
}

std::filesystem::path AppReloads::file_of(std::size_t plugin) const {
  return parts_.config.resolve_path(parts_.config.app().plugins(static_cast<int>(plugin)));
}

Result<std::string> AppReloads::pin(const std::string& plugin) const {
  const auto pin_in = [&](const Config& config) {
    const auto pin = config.app().pins().find(plugin);
    return pin == config.app().pins().end() ? std::string() : pin->second;
  };
  std::error_code ignored;
  if (!std::filesystem::exists(parts_.config.name(), ignored)) return pin_in(parts_.config);
  WEIR_TRY(const auto now, Config::load(parts_.config.name()));
  return pin_in(now);
}

std::vector<ReloadApp::Misfit> AppReloads::misfits(const PluginFile& file) {
  std::vector<PluginFile> files;
  for (const auto& plugin : parts_.plugins) {
    const bool other = plugin->manifest().plugin == file.manifest.plugin;
    files.push_back(other ? file : plugin->file());
  }
  std::vector<Misfit> misfits;
  std::vector<Finding> findings;
  AppSchemas::of(std::move(files)).check(parts_.config, findings);
  for (const Finding& finding : findings) {
    if (finding.severity == Finding::Severity::warning) continue;
    // "resolvers.<name>.<key>...: what is wrong"
    const std::string path = finding.message.substr(0, finding.message.find(':'));
    Misfit& misfit = misfits.emplace_back();
    for (const auto& [name, resolver] : parts_.config.app().resolvers()) {
      const std::string start = "resolvers." + name + ".";
      if (!path.starts_with(start)) continue;
      const std::string rest = path.substr(start.size());
      misfit.key = rest.substr(0, rest.find('.'));
    }
    misfit.text = parts_.config.render({finding});
  }
  return misfits;
}

Result<bool> AppReloads::check_schemas(const Task& task, const PluginFile& file,
                                       const std::optional<Schemas>& schemas) {
  const auto changed = schemas_of(task, file.manifest, [&](const std::string& type) {
    return schemas ? schemas->message(type) : nullptr;
  });
  if (changed.empty()) return false;
  WEIR_TRY(const Registration fits, task.check_builds(changed));
  return fits.undo == UndoStep::begin;
}

Result<void> AppReloads::add_probe_parts(const PluginFile& file,
                                         const std::optional<Schemas>& schemas,
                                         ProbeRequest& request) {
  const FindType type = [&](const std::string& name) {
    return schemas ? schemas->message(name) : nullptr;
  };
  const auto running = std::ranges::find_if(parts_.plugins, [&](const auto& one) {
    return one->manifest().plugin == file.manifest.plugin;
  });
  for (const auto& [name, resolver] : parts_.config.app().resolvers()) {
    const Use use = split_use(resolver.use());
    if (use.plugin != file.manifest.plugin) continue;
    const Manifest::Resolver& offer = *file.manifest.find(use.resolver);
    WEIR_TRY(auto settings, settings_of(parts_.config, name, offer, type));
    WEIR_TRY(auto settings_running, settings_of(parts_.config, name, **running));
    request.resolvers.push_back(
        {name, use.resolver, std::move(settings), std::move(settings_running)});
    // A second reader of a partition would be one more member of Kafka's group.
    if (!parts_.config.app().log().has_embedded()) continue;
    WEIR_TRY(const auto decoder, decoder_of(parts_.config, name, offer, type));
    WEIR_CHECK(add_records(resolver.from(), *decoder, request));
  }
  return {};
}

Result<void> AppReloads::add_records(const std::string& source, Decoder& decoder,
                                     ProbeRequest& request) {
  for (const RunningTask& running : tasks()) {
    const TaskSource& from = running.task->options().source;
    if (from.name != source) continue;
    WEIR_TRY(const OffsetRange range, parts_.log.offsets(from.input));
    WEIR_TRY(
        const auto reader,
        parts_.log.open_reader(from.input, std::max(range.begin, range.end - probed_records_max)));
    WEIR_TRY(const auto records, reader->fetch({.records = probed_records_max}));
    Arena arena;
    for (const Record& record : records) {
      ProbeRequest::Record& one = request.records.emplace_back();
      one.resolver = request.resolvers.size() - 1;
      one.has_key = record.key.has_value();
      one.key = record.key.value_or(std::string_view());
      one.topic = from.input.topic;
      one.partition = from.input.partition;
      one.offset = record.offset;
      one.timestamp_ms = record.timestamp_ms;
      const auto value = record.value ? decoder.decode(*record.value, arena)
                                      : Result<std::string_view>(std::string_view());
      if (!value || !record.value) {
        request.records.pop_back();  // no resolver would see it
        continue;
      }
      one.has_value = true;
      one.value = *value;
    }
  }
  return {};
}

Result<std::shared_ptr<Plugin>> AppReloads::load(const std::filesystem::path& file,
                                                 const std::string& name) {
  return load_plugin(file, name, parts_.copies, parts_.logger, parts_.journal);
}

Result<TaskBuilds> AppReloads::builds(const Task& task, const std::shared_ptr<Plugin>& plugin) {
  return builds_of(parts_.config, task, plugin);
}

Result<Registration> AppReloads::registration(const Task& task, const Plugin& plugin) {
  return task.check_builds(schemas_of(task, plugin), TaskStore::Ways::back);
}

ProbationFigures AppReloads::figures(const std::string& plugin) {
  ProbationFigures sum;
  for (const auto& worker : parts_.workers) {
    std::vector<TaskSnapshot> snapshots = worker->snapshots();
    for (std::size_t i = 0; i < snapshots.size(); ++i) {
      const Task& task = *worker->assignments()[i].task;
      if (!parts_.own_threads) task.snapshot(snapshots[i]);
      add(sum, task.options(), snapshots[i], plugin);
    }
  }
  return sum;
}

void AppReloads::activated(const std::shared_ptr<Plugin>& plugin) {
  const auto old = std::ranges::find_if(parts_.plugins, [&](const auto& one) {
    return one->manifest().plugin == plugin->manifest().plugin;
  });
  *old = plugin;
}

void AppReloads::show(const std::vector<GenerationView>& generations, std::uint64_t pinned) {
  std::vector<HostIdentity::Plugin> plugins;
  for (const GenerationView& one : generations) {
    plugins.push_back({one.plugin, one.version, one.sha256, one.in_probation, one.loaded,
                       one.reloads, one.refusals, one.rollbacks});
  }
  parts_.view.set_plugins(std::move(plugins), pinned);
}

}  // namespace weir::host
