#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal_line.hpp"
#include "base/result.hpp"
#include "commit/task_store.hpp"
#include "resolve/plugin.hpp"
#include "task/state_walk.hpp"

namespace weir::host {

/// A task of a host that does not run, and what its States are migrated with.
struct StoppedWalk {
  struct Resolver {
    ResolverSchema schema;  ///< as a start would register it
    std::string resolver;   ///< its name in the plugin
    std::string settings;   ///< serialized
    std::shared_ptr<Plugin> plugin;
    std::uint16_t journal_number = 0;
  };
  std::string task;
  TaskStore::Options store;
  std::vector<Resolver> resolvers;
  LiveStates::Limits live;
  JournalLine* journal = nullptr;          ///< null: nobody wants to know
  JournalLine* control_journal = nullptr;  ///< as well
  /// Called after a named step; tests stop the process there. May be empty.
  std::function<void(std::string_view step)> after_step;
};

/// Migrates what is stored at an older State version, beside the task's commits: several portions
/// in each transaction, so that it may end anywhere, and be done again. Registers the resolvers,
/// as a start does. Where it gave up, what was migrated before stays so. [control]
StateWalk::Progress walk_stopped(const StoppedWalk& walk);

}  // namespace weir::host
