#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "admin/host_view.hpp"
#include "publish/publisher.hpp"
#include "resolve/plugin.hpp"
#include "task/worker.hpp"
#include "weir/v1/crash.pb.h"

namespace weir::host {

/// The app as the admin side sees it. Opening until it is told that everything is built.
class AppView final : public HostView {
 public:
  /// From here on it reads `workers` and `publishers`, which stay as they are and outlive it.
  /// `publishers` are beside `workers`. [control]
  void set_running(const std::string& app, std::span<const std::shared_ptr<Plugin>> plugins,
                   std::span<const std::unique_ptr<Worker>> workers,
                   std::span<const std::unique_ptr<Publisher>> publishers);
  void set_stopping();  ///< [control]
  /// What earlier processes have crashed on. Before set_running(). [control]
  void set_crashes(std::span<const v1::CrashReport> crashes);
  /// Asked from any thread, for as long as this lives. Before set_running(). [control]
  using SlowCalls = std::function<std::map<std::string, std::uint64_t>()>;
  void set_slow_calls(SlowCalls slow_calls) { slow_calls_ = std::move(slow_calls); }
  /// What runs now. [any]
  void set_plugins(std::vector<HostIdentity::Plugin> plugins, std::uint64_t pinned);

  Phase phase() override { return phase_.load(std::memory_order_acquire); }
  HostIdentity identity() override;
  std::vector<TaskView> tasks() override;
  std::vector<WorkerView> workers() override;
  std::vector<TaskStore::Usage> measure_stores() override;

 private:
  void add_resolvers();

  std::atomic<Phase> phase_{Phase::opening};
  std::mutex mutex_;
  HostIdentity identity_;  // guarded by mutex_
  // Written before `running` is, never after.
  SlowCalls slow_calls_;
  std::span<const std::unique_ptr<Worker>> workers_;
  std::span<const std::unique_ptr<Publisher>> publishers_;
};

}  // namespace weir::host
