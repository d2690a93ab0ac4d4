#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "commit/task_store.hpp"
#include "resolve/instance.hpp"
#include "resolve/live_states.hpp"

namespace weir::host {

/// A resolver of a task whose States are walked over.
struct WalkedResolver {
  std::string_view task;
  std::string_view resolver;  ///< in the app's YAML
  ResolverId id = 0;
  ResolverInstance& instance;
  LiveStates& live;
};

/// What a portion of a walk has come to.
struct WalkPortion {
  std::uint64_t visited = 0;
  std::uint64_t migrated = 0;         ///< of them: LiveStates::changes() has them
  std::vector<std::string> failures;  ///< of them, one each: task, resolver, key, why
  std::string next;                   ///< where the next one begins; empty: there is none
};

/// Loads States of an older version than that of the resolver's build, from the key `from` on, a
/// bounded number of them. A State that cannot be loaded stays as it is. [task]
Result<WalkPortion> walk_portion(TaskStore& store, const WalkedResolver& walked,
                                 std::string_view from);

/// Lets one task migrate what a plugin's resolvers have stored at an older State version: each such
/// State is loaded and saved by the task's normal commits, a portion a turn. Shared by the one who
/// asks and the task.
class StateWalk {
 public:
  explicit StateWalk(std::string plugin) : plugin_(std::move(plugin)) {}

  /// How many failures are told; the others are counted.
  static constexpr std::size_t failures_max = 20;

  struct Progress {
    std::uint64_t visited = 0;   ///< States that were looked at
    std::uint64_t migrated = 0;  ///< of them; durable when it is over
    std::uint64_t failed = 0;    ///< of them: cannot be loaded, and stay as they are
    std::vector<std::string> failures;
    bool over = false;
    std::optional<Error> gave_up;  ///< why it was over before its end

    void add(WalkPortion portion);
  };
  /// [any]
  Progress progress() const {
    const std::lock_guard lock(mutex_);
    return progress_;
  }

 private:
  friend class Task;
  const std::string plugin_;
  std::size_t stage_ = 0;             // the task's: where it is
  std::string from_;                  // the task's: the next key
  std::uint64_t migrated_until_ = 0;  // the task's: commits, when it migrated a State
  mutable std::mutex mutex_;
  Progress progress_;  // guarded by mutex_
};

}  // namespace weir::host
