#include "app/app_reloads.hpp"

#include <algorithm>

#include "app/app_builds.hpp"
#include "app/app_schemas.hpp"

namespace weir::host {

namespace {

void add(ProbationFigures& sum, const TaskOptions& task, const TaskSnapshot& now,
         const std::string& plugin) {
  for (std::size_t i = 0; i < task.resolvers.size(); ++i) {
    if (split_use(task.resolvers[i].use).plugin != plugin) continue;
    const ResolverSnapshot& one = now.resolvers[i];
    const std::uint64_t rejected =
        one.outcomes.set_aside[static_cast<std::size_t>(SetAside::rejected)] + one.retries;
    sum.handled += one.outcomes.resolved + one.outcomes.skipped + rejected;
    sum.rejected += rejected;
  }
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
