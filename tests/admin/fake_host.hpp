#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "admin/host_view.hpp"

namespace weir::test {

/// A host that is what a test says. Every method from any thread.
class FakeHost final : public host::HostView {
 public:
  explicit FakeHost(Phase phase = Phase::running) : phase_(phase) {
    identity_ = {"shop", "1.2.3", "0.1", {{"ledger", "1.0.0", "abc123"}}};
  }

  void set_phase(Phase phase) { phase_ = phase; }
  void set_tasks(std::vector<host::TaskView> tasks) {
    const std::lock_guard lock(mutex_);
    tasks_ = std::move(tasks);
  }
  void set_workers(std::vector<host::WorkerView> workers) {
    const std::lock_guard lock(mutex_);
    workers_ = std::move(workers);
  }

  Phase phase() override { return phase_; }
  host::HostIdentity identity() override { return identity_; }
  std::vector<host::TaskView> tasks() override {
    const std::lock_guard lock(mutex_);
    return tasks_;
  }
  std::vector<host::WorkerView> workers() override {
    const std::lock_guard lock(mutex_);
    return workers_;
  }
  std::vector<host::TaskStore::Usage> measure_stores() override {
    const std::lock_guard lock(mutex_);
    return std::vector<host::TaskStore::Usage>(tasks_.size(), {1 << 20, 1 << 15, 1 << 14});
  }

 private:
  std::atomic<Phase> phase_;
  host::HostIdentity identity_;
  std::mutex mutex_;
  std::vector<host::TaskView> tasks_;
  std::vector<host::WorkerView> workers_;
};

/// A task with one resolver, `post`, and the sinks `out` and that of dead letters.
inline host::TaskView task_view(std::int32_t partition) {
  host::TaskView task;
  task.name = "in-" + std::to_string(partition);
  task.source = "in";
  task.input = {"orders", partition};
  task.resolvers = {"post"};
  task.sinks = {"out", "#deadletters"};
  task.now.resolvers.resize(1);
  task.now.published = {0, 0};
  return task;
}

}  // namespace weir::test
