#include "task/worker.hpp"

#include <algorithm>

#include "base/signal_stack.hpp"

namespace weir::host {

namespace {
/// How long an idle worker sleeps at most before it looks at the stop flag again.
constexpr std::int64_t idle_wait_max_ms = 50;
/// How old snapshots become at most while the worker turns.
constexpr std::int64_t snapshot_interval_ms = 50;
}  // namespace

Worker::Worker(Log& log, Clock& clock, std::vector<Assignment> assignments)
    : log_(log),
      clock_(clock),
      assignments_(std::move(assignments)),
      turned_ms_(clock.steady_ms()),
      snapshots_ms_(turned_ms_),
      snapshots_(assignments_.size()) {
  for (const Assignment& assignment : assignments_) {
    starts_.push_back(assignment.task->position());
  }
  take_snapshots();
}

Worker::~Worker() {
  request_stop();
  join();
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::run() {
  const SignalStack signal_stack;
  while (!stopping_.load(std::memory_order_relaxed) && !all_at_end()) {
    bool worked = false;
    for (Assignment& assignment : assignments_) {
      worked |= assignment.task->turn() == Task::Turn::worked;
    }
    const std::int64_t now_ms = clock_.steady_ms();
    turned_ms_.store(now_ms, std::memory_order_relaxed);
    if (now_ms - snapshots_ms_ >= snapshot_interval_ms) {
      take_snapshots();
      snapshots_ms_ = now_ms;
    }
    if (worked) continue;

    std::int64_t wait_ms = idle_wait_max_ms;
    for (const Assignment& assignment : assignments_) {
      if (assignment.task->halted()) continue;
      wait_ms = std::min(wait_ms, assignment.task->next_deadline_ms() - now_ms);
    }
    log_.wait_for_records(std::chrono::milliseconds(std::max<std::int64_t>(wait_ms, 1)));
  }
  for (Assignment& assignment : assignments_) {
    if (!assignment.task->halted()) assignment.task->finish();
  }
  take_snapshots();
  done_.store(true, std::memory_order_release);
}

bool Worker::all_at_end() const {
  return std::all_of(assignments_.begin(), assignments_.end(), [](const Assignment& assignment) {
    return assignment.task->halted() ||
           (assignment.end && assignment.task->has_reached(*assignment.end));
  });
}

void Worker::take_snapshots() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < assignments_.size(); ++i) {
    assignments_[i].task->snapshot(snapshots_[i]);
  }
}

std::vector<TaskSnapshot> Worker::snapshots() const {
  const std::lock_guard lock(mutex_);
  return snapshots_;
}

Worker::Progress Worker::progress() const {
  Progress progress;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < snapshots_.size(); ++i) {
    const TaskSnapshot& task = snapshots_[i];
    progress.counters += task.counters();
    progress.live_states += task.live_states();
    progress.handled += task.position - starts_[i];
    if (assignments_[i].end) progress.total += *assignments_[i].end - starts_[i];
    progress.halted += task.halted ? 1 : 0;
  }
  return progress;
}

}  // namespace weir::host
