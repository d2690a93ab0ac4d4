#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "log/log.hpp"
#include "task/task.hpp"

namespace weir::host {

/// One thread that owns whole tasks and turns them in a circle until it is stopped, or until all
/// have reached their ends. A halted task stays where it is; the others go on.
class Worker {
 public:
  struct Assignment {
    std::unique_ptr<Task> task;
    std::optional<std::int64_t> end;  ///< set: the task is done when it has handled all below it
  };

  Worker(Log& log, Clock& clock, std::vector<Assignment> assignments);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();

  /// Finish what is being handled, commit, publish, end. [any]
  void request_stop() { stopping_.store(true, std::memory_order_relaxed); }
  bool is_done() const { return done_.load(std::memory_order_acquire); }
  void join();

  /// How the tasks stand, a moment ago. [any]
  struct Progress {
    Counters counters;
    std::uint64_t live_states = 0;
    std::int64_t handled = 0;  ///< offsets below the positions, from the starts
    std::int64_t total = 0;    ///< the same below the ends
    std::size_t halted = 0;
  };
  Progress progress() const;

  /// The tasks in the order of assignments(), as they were at most 50 ms before the end of the last
  /// turn. Taken once in a while, so that a record costs nothing. [any]
  std::vector<TaskSnapshot> snapshots() const;

  /// When the worker last came round its tasks, on Clock::steady_ms(). [any]
  std::int64_t turned_ms() const { return turned_ms_.load(std::memory_order_relaxed); }

  /// The list does not change; what a task does is the worker's business until join(). [any]
  const std::vector<Assignment>& assignments() const { return assignments_; }

 private:
  void run();
  bool all_at_end() const;
  void take_snapshots();

  Log& log_;
  Clock& clock_;
  std::vector<Assignment> assignments_;
  std::vector<std::int64_t> starts_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> done_{false};
  std::atomic<std::int64_t> turned_ms_;
  std::int64_t snapshots_ms_;  // when they were taken
  mutable std::mutex mutex_;
  std::vector<TaskSnapshot> snapshots_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace weir::host
