#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "commit/task_store.hpp"
#include "log/log.hpp"
#include "publish/publisher.hpp"

namespace weir::host {

/// A task of a host that does not run: where it stands, and where it shall go on. [control]
///
/// A move is a commit like any other: first the store, in one transaction, then the log's mark.
/// What dies in between leaves a newest commit that the log has not seen; the next start, or the
/// next move, publishes it.
class StoppedTask {
 public:
  struct Options {
    std::string app;
    std::string name;
    TopicPartition input;  ///< as the app reads it now
    std::int32_t partition_count = 1;
    std::string topic_identity;
    TaskStore::Options store;
    /// Called after a named step; tests stop the process there. May be empty.
    std::function<void(std::string_view step)> after_step;
  };

  /// How the task stands; what its State was made from may be another topic than it reads now.
  struct Standing {
    OffsetRange range;                        ///< of the input
    std::optional<std::int64_t> next_offset;  ///< absent: the task has never committed anything
    std::int32_t partition_count = 0;         ///< of the topic that next_offset belongs to
    bool is_same_topic = true;                ///< it is the one that the app reads now
    std::uint64_t states = 0;
    std::uint64_t timers = 0;
    std::uint64_t parked = 0;    ///< records that wait with their keys
    std::uint64_t returned = 0;  ///< dead letters that were sent back to it and still wait
    bool mark_fits = true;       ///< the log's mark of this app belongs to the State
    /// Nobody can tell any more whether the output of the newest commit is in the log. It goes out
    /// (once more).
    bool may_repeat = false;
  };

  /// Changes nothing, makes nothing. `retries`: null where there is no such log.
  static Result<std::unique_ptr<StoppedTask>> open(Options options, Log& log, Log* retries);

  const Standing& standing() const { return standing_; }
  const Options& options() const { return options_; }

  /// Publishes what the last run has committed and not published; then the task goes on at
  /// `offset`, with its State, timers and parked records or (`drop`) without them and without the
  /// dead letters that wait.
  Result<void> move_to(std::int64_t offset, bool drop, Publisher& publisher, TaskSinks& sinks);

 private:
  StoppedTask(Options options, Log& log) : options_(std::move(options)), log_(log) {}
  /// What of the store's newest commit the log may lack.
  enum class Pending {
    nothing,
    newest,
    long_out,  ///< nothing: the log has seen later commits than this State knows of
    unknown,
  };
  Result<void> look(Log* retries);
  Result<bool> is_same_topic();
  Result<std::optional<Mark>> mark_of(const TopicPartition& input);
  Pending pending(const std::optional<Mark>& mark) const;
  Result<void> settle(Publisher& publisher, TaskSinks& sinks);
  Result<void> publish(Publisher& publisher, TaskSinks& sinks, std::vector<std::string_view> chunks,
                       bool is_again);
  v1::Head next_head(std::int64_t offset, bool drop, const TaskSinks& sinks) const;

  Options options_;
  Log& log_;
  std::unique_ptr<TaskStore> store_;  // null: there is none yet
  Standing standing_;
  std::int64_t retries_end_ = 0;
  std::optional<v1::CommitId> seen_;  // by the log, of the input that is read now
};

}  // namespace weir::host
