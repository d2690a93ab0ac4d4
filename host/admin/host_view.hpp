#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "commit/task_store.hpp"
#include "log/log.hpp"
#include "task/task_snapshot.hpp"

namespace weir::host {

/// What a host is, and what it runs.
struct HostIdentity {
  std::string app;
  std::string version;
  std::string abi;
  struct Plugin {
    std::string name;
    std::string version;
    std::string sha256;
    bool in_probation = false;
    std::string loaded;          ///< the version that waits for `weir plugin activate`, if one does
    std::uint64_t reloads = 0;   ///< since the start
    std::uint64_t refusals = 0;  ///< of reloads
    std::uint64_t rollbacks = 0;  ///< by hand and automatic
  };
  std::vector<Plugin> plugins;       ///< the builds that run; a reload changes them
  std::uint64_t pinned_plugins = 0;  ///< builds that stay mapped although nothing uses them
  /// Crashes of a plugin's own making that are on record, by plugin; a name without any may be
  /// absent.
  std::map<std::string, std::uint64_t> crashes;
  /// Calls that took longer than watchdog.soft, since the start, by resolver.
  std::map<std::string, std::uint64_t> slow_calls;
};

struct TaskView {
  std::string name;
  std::string source;
  TopicPartition input;
  std::vector<std::string> resolvers;  ///< in the order of now.resolvers
  std::vector<std::string> sinks;      ///< in the order of now.published
  TaskSnapshot now;
};

struct WorkerView {
  std::int64_t turned_ms = 0;  ///< on Clock::steady_ms(), when it last came round its tasks
  /// Since when it waits for the log to take a commit; absent: it does not.
  std::optional<std::int64_t> waiting_since_ms;
  bool done = false;  ///< stopped, at the end of its input, or all of its tasks halted
};

/// The running host, as the admin side sees it. A port: the app stands behind it, fakes in tests.
/// Every method from any thread; none waits for a task, a worker or the log, unless it says so.
class HostView {
 public:
  virtual ~HostView() = default;

  enum class Phase { opening, running, stopping, down };
  virtual Phase phase() = 0;

  // From `running` on.
  virtual HostIdentity identity() = 0;
  virtual std::vector<TaskView> tasks() = 0;
  virtual std::vector<WorkerView> workers() = 0;

  /// What the store of each task takes, in the order of tasks(). Reads LMDB's list of free pages.
  virtual std::vector<TaskStore::Usage> measure_stores() = 0;
};

}  // namespace weir::host
