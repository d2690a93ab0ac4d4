#include "app/app_view.hpp"

#include <fmt/format.h>

#include <weir/abi.h>

namespace weir::host {

void AppView::set_running(const std::string& app, std::span<const std::shared_ptr<Plugin>> plugins,
                          std::span<const std::unique_ptr<Worker>> workers,
                          std::span<const std::unique_ptr<Publisher>> publishers) {
  {
    const std::lock_guard lock(mutex_);
    identity_.app = app;
    identity_.version = WEIR_VERSION;
    identity_.abi = fmt::format("{}.{}", WEIR_ABI_MAJOR, WEIR_ABI_MINOR);
    identity_.plugins.clear();
    for (const auto& plugin : plugins) {
      HostIdentity::Plugin& one = identity_.plugins.emplace_back();
      one.name = plugin->manifest().plugin;
      one.version = plugin->manifest().version;
      one.sha256 = plugin->file().sha256;
    }
  }
  workers_ = workers;
  publishers_ = publishers;
  if (slow_calls_) add_resolvers();
  phase_.store(Phase::running, std::memory_order_release);
}

void AppView::set_plugins(std::vector<HostIdentity::Plugin> plugins, std::uint64_t pinned) {
  const std::lock_guard lock(mutex_);
  identity_.plugins = std::move(plugins);
  identity_.pinned_plugins = pinned;
}

void AppView::set_crashes(std::span<const v1::CrashReport> crashes) {
  const std::lock_guard lock(mutex_);
  for (const v1::CrashReport& crash : crashes) {
    if (crash.counted()) ++identity_.crashes[crash.plugin()];
  }
}

/// So that a resolver that has never been slow says so.
void AppView::add_resolvers() {
  const std::lock_guard lock(mutex_);
  for (const auto& worker : workers_) {
    for (const Worker::Assignment& assignment : worker->assignments()) {
      for (const TaskResolver& resolver : assignment.task->options().resolvers) {
        identity_.slow_calls.emplace(resolver.name, 0);
      }
    }
  }
}

HostIdentity AppView::identity() {
  HostIdentity out;
  {
    const std::lock_guard lock(mutex_);
    out = identity_;
  }
  if (slow_calls_) {
    for (const auto& [resolver, calls] : slow_calls_()) out.slow_calls[resolver] = calls;
  }
  return out;
}

void AppView::set_stopping() {
  Phase expected = Phase::running;
  phase_.compare_exchange_strong(expected, Phase::stopping);
}

std::vector<TaskView> AppView::tasks() {
  std::vector<TaskView> tasks;
  for (const auto& worker : workers_) {
    std::vector<TaskSnapshot> snapshots = worker->snapshots();
    for (std::size_t i = 0; i < snapshots.size(); ++i) {
      const TaskOptions& options = worker->assignments()[i].task->options();
      TaskView& task = tasks.emplace_back();
      task.name = options.name;
      task.source = options.source.name;
      task.input = options.source.input;
      for (const TaskResolver& resolver : options.resolvers)
        task.resolvers.push_back(resolver.name);
      task.sinks = options.sink_names;
      task.now = std::move(snapshots[i]);
    }
  }
  return tasks;
}

std::vector<WorkerView> AppView::workers() {
  std::vector<WorkerView> out;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    // The wait first: a worker that goes on in between has also turned.
    const auto waiting_since_ms = publishers_[i]->waiting_since_ms();
    out.push_back({workers_[i]->turned_ms(), waiting_since_ms, workers_[i]->is_done()});
  }
  return out;
}

std::vector<TaskStore::Usage> AppView::measure_stores() {
  std::vector<TaskStore::Usage> out;
  for (const auto& worker : workers_) {
    for (const Worker::Assignment& assignment : worker->assignments()) {
      out.push_back(assignment.task->store_usage());
    }
  }
  return out;
}

}  // namespace weir::host
