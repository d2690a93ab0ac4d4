#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"
#include "reload/probation.hpp"
#include "reload/probe.hpp"
#include "resolve/plugin.hpp"
#include "resolve/schemas.hpp"
#include "task/task.hpp"

namespace weir::host {

/// How the generation of a plugin stands, for status and metrics.
struct GenerationView {
  std::string plugin;
  std::string version;
  std::string sha256;
  bool in_probation = false;
  std::string loaded;           ///< version of what waits for activate; empty: nothing
  std::uint64_t reloads = 0;    ///< since the start
  std::uint64_t refusals = 0;   ///< the same
  std::uint64_t rollbacks = 0;  ///< the same, by hand and automatic
};

/// The running app, as a reload sees it: a port. [control]
class ReloadApp {
 public:
  virtual ~ReloadApp() = default;

  struct RunningTask {
    Task* task = nullptr;
    std::function<bool()> has_ended;  ///< its thread turns it no more. [any]
  };
  virtual std::vector<RunningTask> tasks() = 0;

  /// The plugins that run, in the order of the YAML, and the file that it names for each.
  virtual const std::vector<std::shared_ptr<Plugin>>& plugins() const = 0;
  virtual std::filesystem::path file_of(std::size_t plugin) const = 0;

  /// The hash that the plugin's file must have, as the YAML says now; empty: any.
  virtual Result<std::string> pin(const std::string& plugin) const = 0;

  /// What the YAML asks of `file`, in the place of the plugin of its name, and does not get.
  struct Misfit {
    std::string key;  ///< of the resolver: use, to, from or settings
    std::string text;
  };
  virtual std::vector<Misfit> misfits(const PluginFile& file) = 0;

  /// Task::check_builds() with what a file that was not loaded brings along.
  /// True: the builds that run cannot read its States, so that a task keeps an undo log.
  virtual Result<bool> check_schemas(const Task& task, const PluginFile& file,
                                     const std::optional<Schemas>& schemas) = 0;

  /// What another process needs to try the file: its resolvers in the app with their settings, and
  /// the newest records that they read, where those can be had without disturbing the tasks.
  virtual Result<void> add_probe_parts(const PluginFile& file,
                                       const std::optional<Schemas>& schemas,
                                       ProbeRequest& request) = 0;

  virtual Result<std::shared_ptr<Plugin>> load(const std::filesystem::path& file,
                                               const std::string& name) = 0;

  /// All that `task` needs to go over to `plugin`. Empty resolvers: it does not use it.
  virtual Result<TaskBuilds> builds(const Task& task, const std::shared_ptr<Plugin>& plugin) = 0;
  /// The part of it that a task needs to go back to builds that it has had.
  virtual Result<Registration> registration(const Task& task, const Plugin& plugin) = 0;

  /// What the resolvers of a plugin have made of their records since the start.
  virtual ProbationFigures figures(const std::string& plugin) = 0;

  /// All tasks have gone over to it.
  virtual void activated(const std::shared_ptr<Plugin>& plugin) = 0;

  /// For those who look at the host from outside.
  virtual void show(const std::vector<GenerationView>& generations, std::uint64_t pinned) = 0;
};

}  // namespace weir::host
