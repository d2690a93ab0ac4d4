#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "task/parked_orders.hpp"

namespace weir::host {

/// Lets one task that runs carry out orders for keys that wait in it, between two of its commits.
/// Shared by the one who asks and the task.
class ParkedRequest {
 public:
  enum class State {
    asked,
    begun,   ///< it will be done or failed
    done,    ///< durable; every outcome is known
    failed,  ///< nothing was done
    withdrawn,
  };
  explicit ParkedRequest(std::vector<ParkedOrder> orders) : orders_(std::move(orders)) {}

  /// Waits until it is over, for `timeout` at most. [any]
  State wait(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout,
                      [this] { return state_ != State::asked && state_ != State::begun; });
    return state_;
  }
  /// False: the task has begun, and comes to an end. [any]
  bool withdraw() {
    const std::lock_guard lock(mutex_);
    if (state_ == State::asked) state_ = State::withdrawn;
    return state_ == State::withdrawn;
  }
  /// Once it is done: in the order of the orders.
  const std::vector<ParkedOutcome>& outcomes() const { return outcomes_; }
  /// Once it has failed.
  const Error& failure() const { return *failure_; }

 private:
  friend class Task;
  /// False: it was withdrawn.
  bool begin() {
    const std::lock_guard lock(mutex_);
    if (state_ == State::asked) state_ = State::begun;
    return state_ == State::begun;
  }
  void end(std::vector<ParkedOutcome> outcomes) {
    outcomes_ = std::move(outcomes);
    set(State::done);
  }
  void fail(Error error) {
    failure_ = std::move(error);
    set(State::failed);
  }
  void set(State state) {
    const std::lock_guard lock(mutex_);
    state_ = state;
    changed_.notify_all();
  }

  const std::vector<ParkedOrder> orders_;
  std::vector<ParkedOutcome> outcomes_;  // the task's until it is over
  std::optional<Error> failure_;         // the same
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::asked;  // guarded by mutex_
};

}  // namespace weir::host
