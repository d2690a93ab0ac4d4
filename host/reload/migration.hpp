#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "reload/reload_app.hpp"
#include "task/state_walk.hpp"

namespace weir::host {

/// The States of one plugin that no record has touched since its State version rose, migrated by
/// the tasks while they go on. [control]
class Migration {
 public:
  struct Progress {
    std::string plugin;
    std::string version;  ///< of the build that migrates
    std::size_t tasks = 0;
    std::size_t tasks_done = 0;
    std::uint64_t visited = 0;
    std::uint64_t migrated = 0;
    std::uint64_t failed = 0;
    std::vector<std::string> failures;  ///< the first ones: task, resolver, key, why
    std::vector<std::string> gave_up;   ///< tasks that did not come to the end, and why

    bool over() const { return tasks_done == tasks; }
  };

  /// Asks every task of the app.
  Migration(ReloadApp& app, const Plugin& plugin);
  Progress progress() const;
  const std::string& plugin() const { return plugin_; }

 private:
  struct One {
    ReloadApp::RunningTask running;
    std::shared_ptr<StateWalk> walk;
  };
  std::string plugin_;
  std::string version_;
  std::vector<One> walks_;
};

}  // namespace weir::host
