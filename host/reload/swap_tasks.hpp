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

class GoingBack;

/// Swaps whose tasks have gone over, while the States of the builds before are being freed; and
/// tasks that are still to go back. [control]
class SwapsInRetirement {
 public:
  SwapsInRetirement();
  ~SwapsInRetirement();
  void add(std::unique_ptr<TaskSwap> swap) { swaps_.push_back(std::move(swap)); }
  void add(std::unique_ptr<GoingBack> task);
  /// Lets go of those that are freed, and goes on with those that go back; false: none are left.
  bool turn();
  /// A task that is still to go back, and takes no other swap until then; empty: none.
  std::string going_back() const;

 private:
  std::vector<std::unique_ptr<GoingBack>> going_back_;
  std::vector<std::unique_ptr<TaskSwap>> swaps_;
};

/// One task that has begun with a swap which was refused, on its way back to `before`: first to the
/// end of what it has begun, then over to the builds that it had. Each is between two commits, so
/// that a publication which does not come out holds it up for as long. [control]
class GoingBack {
 public:
  GoingBack(ReloadApp& app, Logger& logger, ReloadApp::RunningTask running,
            std::unique_ptr<TaskSwap> swap, std::shared_ptr<Plugin> before)
      : app_(app),
        logger_(logger),
        running_(std::move(running)),
        swap_(std::move(swap)),
        before_(std::move(before)) {}

  /// True: it runs `before`, or has ended. What is to be freed goes to `retirement`.
  bool turn(SwapsInRetirement& retirement);
  const std::string& task() const { return running_.task->name(); }

 private:
  bool is_on_its_way();

  ReloadApp& app_;
  Logger& logger_;
  ReloadApp::RunningTask running_;
  std::unique_ptr<TaskSwap> swap_;
  std::shared_ptr<Plugin> before_;
  bool turned_ = false;  // swap_ leads back
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

  /// From `before` to `after`. On a refusal every task runs `before`, but those that have halted,
  /// and those that cannot go back within the timeout: they do it as soon as they can, the
  /// retirement sees to it, and the refusal names them.
  std::optional<Refusal> run(const std::shared_ptr<Plugin>& before,
                             const std::shared_ptr<Plugin>& after);
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
  /// What the refusal has to say of tasks that are still on their way.
  std::string take_back(const std::shared_ptr<Plugin>& before);
  void pause() const;

  ReloadApp& app_;
  SwapsInRetirement& retirement_;
  Logger& logger_;
  Options options_;
  std::vector<One> swaps_;
  Done done_;
};

}  // namespace weir::host
