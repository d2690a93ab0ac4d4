#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "commit/catalog.hpp"
#include "decode/message_printer.hpp"
#include "decode/source_decoder.hpp"
#include "resolve/instance.hpp"
#include "resolve/live_states.hpp"

namespace weir::host {

/// Where an output of a resolver goes.
struct ResolverOutput {
  std::optional<std::uint16_t> sink;  ///< index into TaskOptions::sink_names; absent: not wanted
  std::unique_ptr<MessagePrinter> printer;  ///< null: the bytes go out as they are
};

/// What of one resolver of a task depends on the build of its plugin.
struct ResolverBuild {
  std::size_t resolver = 0;  ///< index into TaskOptions::resolvers
  std::shared_ptr<Plugin> plugin;
  std::shared_ptr<ResolverInstance> instance;
  std::vector<ResolverOutput> outputs;
};

/// A decoder and what it decodes: decoder_key().
struct KeyedDecoder {
  std::string key;
  std::unique_ptr<SourceDecoder> decoder;
};

/// Two resolvers of one build that take the same type share one decoding, as do all that take
/// bytes.
std::string decoder_key(const Plugin& plugin, const std::string& message_type);

/// All of one task that a build of a plugin brings along. Made and destroyed by the control thread.
struct TaskBuilds {
  std::vector<ResolverBuild> resolvers;
  std::vector<KeyedDecoder> decoders;  ///< those that the resolvers need; more do no harm
  Registration registration;           ///< of Task::check_builds()
};

/// One task's change of builds, between the control thread that asks for it and the task that makes
/// it between two commits. The one who asks keeps it until it is_freed(), or withdrawn; also while
/// the task's thread runs on. [control], apart from what the task does with it.
class TaskSwap {
 public:
  enum class State {
    asked,
    swapping,   ///< the task has begun: it will be swapped or failed
    swapped,    ///< its next record meets the new builds
    failed,     ///< the task has halted
    withdrawn,  ///< the task has not begun, and will not
  };
  explicit TaskSwap(TaskBuilds builds) : builds_(std::move(builds)) {}

  State state() const;
  /// Waits until the task has answered, for `timeout` at most.
  State wait(std::chrono::milliseconds timeout);
  /// Why it failed.
  const Error& failure() const { return *failure_; }
  /// Once it is swapped: what the swap took beyond the commit that it was made after.
  std::int64_t pause_us() const { return pause_us_; }
  /// The position of the first record that meets the new builds.
  std::int64_t first_offset() const { return first_offset_; }

  /// The States of the builds before have been freed, so that their instances may go.
  bool is_freed() const;
  /// Once it is over: what it was to bring, or after a swap the builds before. Their States that
  /// are not freed yet keep what they need.
  TaskBuilds take_builds() { return std::move(builds_); }

 private:
  friend class Task;
  /// States that are not in use any more, and the instance that frees them.
  struct Retired {
    std::shared_ptr<ResolverInstance> instance;
    std::unique_ptr<LiveStates> live;
  };
  void set(State state);
  void set_freed();

  TaskBuilds builds_;
  std::vector<Retired> retired_;  // the task's until freed_
  std::optional<Error> failure_;
  std::int64_t pause_us_ = 0;
  std::int64_t first_offset_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::asked;  // guarded by mutex_
  bool freed_ = false;          // guarded by mutex_
};

}  // namespace weir::host
