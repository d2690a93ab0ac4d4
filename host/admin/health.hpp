#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/host_view.hpp"
#include "admin/log_watch.hpp"

namespace weir::host {

/// Everything that one answer is made of, at one moment.
struct Moment {
  std::int64_t steady_ms = 0;
  std::int64_t wall_ms = 0;
  std::int64_t started_ms = 0;      ///< on the steady clock
  std::int64_t stuck_after_ms = 0;  ///< a worker that has not turned for so long is stuck
  HostView::Phase phase = HostView::Phase::opening;
  std::string down_because;    ///< in phase `down`: why no worker process lives
  std::int64_t pid = 0;        ///< of the process that an operator stops
  std::uint64_t restarts = 0;  ///< worker processes before this one
  HostIdentity identity;
  std::vector<TaskView> tasks;
  std::vector<WorkerView> workers;
  std::shared_ptr<const LogReport> log;  ///< null: nobody has looked yet
};

/// How far a task is behind, as far as is known.
struct Lag {
  std::optional<std::int64_t> end;
  std::optional<std::int64_t> records;  ///< offsets without a record count as well
  std::optional<double> seconds;        ///< how old the last handled record is; 0 at the end
};
Lag lag_of(const Moment& moment, const TaskView& task);

/// Why the process should be started again, a sentence each; empty: it is alive. Only what a new
/// process would cure: a worker that waits for the log is not stuck, and a halted task is not
/// either.
std::vector<std::string> death_signs(const Moment& moment);

/// Why the host does not do all of its work now, a sentence each; empty: it is ready.
std::vector<std::string> unready_reasons(const Moment& moment);

}  // namespace weir::host
