#include "admin/log_watch.hpp"

#include <algorithm>
#include <chrono>

namespace weir::host {

namespace {
constexpr std::chrono::nanoseconds interval_min = std::chrono::seconds(1);
constexpr std::chrono::nanoseconds interval_while_opening = std::chrono::milliseconds(50);
constexpr std::chrono::nanoseconds interval_max = std::chrono::seconds(5);
constexpr int rest_per_work = 20;
}  // namespace

LogWatch::LogWatch(Log& log, HostView& host, Clock& clock)
    : log_(log), host_(host), clock_(clock) {}

LogWatch::~LogWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  for (std::thread* thread : {&thread_, &health_thread_}) {
    if (thread->joinable()) thread->join();
  }
}

void LogWatch::start() {
  thread_ = std::thread([this] { run(); });
  health_thread_ = std::thread([this] { run_health(); });
}

std::shared_ptr<const LogReport> LogWatch::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void LogWatch::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const auto begun = std::chrono::steady_clock::now();
    const bool opening = host_.phase() == HostView::Phase::opening;
    look();
    const auto took = std::chrono::steady_clock::now() - begun;
    const auto rest = opening ? interval_while_opening
                              : std::clamp<std::chrono::nanoseconds>(took * rest_per_work,
                                                                     interval_min, interval_max);
    lock.lock();
    stop_.wait_for(lock, rest, [&] { return stopping_; });
  }
}

void LogWatch::run_health() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    look_at_health();
    lock.lock();
    stop_.wait_for(lock, interval_min, [&] { return stopping_; });
  }
}

void LogWatch::look_at_health() {
  LogHealth health = log_.health();
  const std::lock_guard lock(mutex_);
  if (report_ == nullptr) return;
  auto next = std::make_shared<LogReport>(*report_);
  next->health = std::move(health);
  report_ = std::move(next);
}

void LogWatch::look() {
  auto found = std::make_shared<LogReport>();
  if (host_.phase() != HostView::Phase::opening) {
    for (const TaskView& task : host_.tasks()) {
      const auto range = log_.offsets(task.input);
      if (range) {
        found->ends[task.input] = range->end;
        continue;
      }
      found->error = range.error().message;
      // A log that does not answer for one partition takes as long to not answer for the next.
      if (range.error().code == Errc::unavailable) break;
    }
    found->stores = host_.measure_stores();
  }
  found->health = log_.health();  // after it was asked, so that the newest failure is in it
  found->taken_ms = clock_.steady_ms();
  const std::lock_guard lock(mutex_);
  report_ = std::move(found);
}

}  // namespace weir::host
