#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "log/log.hpp"
#include "publish/outbox.hpp"
#include "publish/sink.hpp"
#include "weir/v1/task.pb.h"

namespace weir::host {

/// A task's sinks by the names that its outbox uses.
struct TaskSinks {
  std::unordered_map<std::string, TopicSink> topics;
  std::unordered_map<std::string, std::unique_ptr<LineSink>> lines;
  std::int32_t partition = 0;  ///< of the task; for entries without a key, and dead letters
};

/// One commit of one task on its way out. The task owns it and leaves it alone from submit() until
/// wait() has returned.
struct PendingPublication {
  std::string task;
  TaskSinks* sinks = nullptr;
  std::vector<TopicPartition> inputs;
  std::vector<std::int64_t> next_offsets;
  v1::CommitId id;
  std::optional<v1::CommitId> before;  ///< what the log has seen of the task until now
  std::vector<std::string_view> chunks;
  bool is_again = false;          ///< an earlier process may have tried
  std::int64_t submitted_us = 0;  ///< on the clock's steady time

  // By the publisher, before wait() returns.
  std::int64_t out_us = 0;
  std::vector<std::pair<std::string, std::uint64_t>> published;  ///< records by sink
};

/// Publishes commits after they are durable in the store: everything that waits goes out in one
/// transaction of the log, then to the sinks outside of it. One a worker, with a thread of its own,
/// so that the worker goes on while the log answers.
class Publisher {
 public:
  struct Options {
    std::string group;
    std::string id;
    bool own_thread = true;  ///< false: submit() publishes before it returns
    Clock* clock = nullptr;  ///< null: how long it takes is not measured
    /// Called after a named step; tests stop the process there.
    std::function<void(std::string_view step)> after_step;
  };

  static Result<std::unique_ptr<Publisher>> open(Log& log, Options options);
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  /// [task]
  void submit(PendingPublication& publication);

  /// Returns when `publication` is out; waits for a log that is away. An error is final for the
  /// task: it halts, its outbox stays in the store. [task]
  Result<void> wait(const PendingPublication& publication);

  /// Would wait() return at once? [task]
  bool is_done(const PendingPublication& publication);

  /// Since when, on the clock's steady time, a task has been in wait(); absent: none is. [any]
  std::optional<std::int64_t> waiting_since_ms() const;

  /// Since when, on the clock's steady time, a call into the log has not come back; absent: none is
  /// under way. A log that is away lets its calls come back, with errors. [any]
  std::optional<std::int64_t> calling_since_ms() const;

  /// Puts the line sinks back to where `head` has them. [before the thread]
  static Result<void> restore(TaskSinks& sinks, const v1::Head& head);

  /// Keeps in `head` where the line sinks are. [task]
  static void add_positions(v1::Head& head, const TaskSinks& sinks);

  /// Writes the part of `chunks` that belongs to line sinks, as after a crash. [before the thread]
  static Result<void> write_lines(TaskSinks& sinks, std::span<const std::string_view> chunks);

 private:
  explicit Publisher(Log& log, Options options);
  void run();
  std::vector<Result<void>> publish(std::span<PendingPublication* const> waiting);
  /// The records of one outbox for the log. Their headers lie in `headers`.
  static Result<void> read_records(PendingPublication& publication, std::vector<NewRecord>& records,
                                   std::vector<std::vector<Header>>& headers);
  /// One of those that go out together.
  struct Outgoing {
    PendingPublication* pending = nullptr;
    Publication publication;
    bool is_out = false;
    Result<void> failure;
    bool is_open() const { return !is_out && failure; }
  };
  /// One transaction, until it is known to have happened or not. Whether anything went out.
  bool send(std::span<Outgoing> outgoing);
  Result<void> send_once(std::span<Outgoing> outgoing);
  /// Behind a new producer: whether the log has seen this commit, or the one before, which is what
  /// it must have seen. The error: of asking.
  Result<void> look_up(Outgoing& out);
  bool is_stopping_after(std::chrono::milliseconds pause);
  Result<bool> log_has_seen(const PendingPublication& publication);
  void step(std::string_view name) {
    if (options_.after_step) options_.after_step(name);
  }

  Log& log_;
  Options options_;
  std::unique_ptr<Producer> producer_;  // null: its publications have an unknown outcome
  /// Inputs whose mark was looked up since the producer was opened; the tasks themselves look when
  /// they open, so absent for the first one.
  std::optional<std::set<TopicPartition>> checked_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;                                             // guarded by mutex_
  std::vector<PendingPublication*> waiting_;                          // guarded by mutex_
  std::unordered_map<const PendingPublication*, Result<void>> done_;  // guarded by mutex_
  std::atomic<std::int64_t> waiting_since_ms_{-1};                    // -1: nobody waits
  std::atomic<std::int64_t> calling_since_ms_{-1};                    // -1: no call is under way
  std::thread thread_;
};

}  // namespace weir::host
