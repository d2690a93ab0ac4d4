#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/logger.hpp"
#include "reload/refusal.hpp"
#include "reload/reload_app.hpp"
#include "task/task_swap.hpp"

namespace weir::host {

/// Swaps whose tasks have gone over, while the States of the builds before are being freed.
/// [control]
class SwapsInRetirement {
 public:
  void add(std::unique_ptr<TaskSwap> swap) { swaps_.push_back(std::move(swap)); }
  /// Lets go of those that are freed; false: none are left.
  bool turn();

 private:
  std::vector<std::unique_ptr<TaskSwap>> swaps_;
};

/// One change of builds in all tasks that use a plugin: all of them, or none. [control]
class SwapTasks {
 public:
  struct Options {
    std::chrono::milliseconds timeout{10'000};
    const std::atomic<bool>* stopping = nullptr;
    /// Called while waiting; where nobody else turns the tasks, this does. May be empty.
    std::function<void()> turn;
  };
  struct Done {
    std::size_t tasks = 0;
    std::int64_t longest_pause_us = 0;  ///< beyond the commit that it interrupts
  };

  SwapTasks(ReloadApp& app, SwapsInRetirement& retirement, Logger& logger, Options options)
      : app_(app), retirement_(retirement), logger_(logger), options_(std::move(options)) {}

  /// From `before` to `after`. On a refusal every task runs `before`, but those that have halted.
  std::optional<Refusal> run(const Plugin& before, const std::shared_ptr<Plugin>& after);
  const Done& done() const { return done_; }

 private:
  struct One {
    ReloadApp::RunningTask running;
    std::unique_ptr<TaskSwap> swap;
  };
  std::optional<Refusal> make(const std::shared_ptr<Plugin>& after);
  void ask();
  /// Until each has come to an end, or one cannot.
  std::optional<Refusal> wait_for_all();
  void take_back(const Plugin& before);
  void pause() const;

  ReloadApp& app_;
  SwapsInRetirement& retirement_;
  Logger& logger_;
  Options options_;
  std::vector<One> swaps_;
  Done done_;
};

}  // namespace weir::host
