#include "admin/health.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace weir::host {

namespace {
/// How long the log may take for a commit before the host is not ready, and how old what is known
/// of the log may be.
constexpr std::int64_t patience_ms = 10'000;
}  // namespace

Lag lag_of(const Moment& moment, const TaskView& task) {
  Lag lag;
  if (moment.log != nullptr) {
    const auto end = moment.log->ends.find(task.input);
    if (end != moment.log->ends.end()) {
      lag.end = end->second;
    } else if (const auto known = moment.log->health.ends.find(task.input);
               known != moment.log->health.ends.end()) {
      lag.end = known->second;  // the log did not answer; this it knew before
    }
  }
  if (!lag.end) return lag;
  // The end is older than the position: a task may have gone beyond it.
  lag.records = std::max<std::int64_t>(*lag.end - task.now.position, 0);
  if (*lag.records == 0) {
    lag.seconds = 0;
  } else if (task.now.record_timestamp_ms) {
    const std::int64_t age_ms = moment.wall_ms - *task.now.record_timestamp_ms;
    lag.seconds = static_cast<double>(std::max<std::int64_t>(age_ms, 0)) / 1000.0;
  }
  return lag;
}

std::vector<std::string> death_signs(const Moment& moment) {
  std::vector<std::string> signs;
  for (std::size_t i = 0; i < moment.workers.size(); ++i) {
    const WorkerView& worker = moment.workers[i];
    const std::int64_t still_ms = moment.steady_ms - worker.turned_ms;
    if (worker.done || worker.waiting_since_ms || still_ms < moment.stuck_after_ms) continue;
    signs.push_back(fmt::format(
        "worker {} has not come round its tasks for {} s: a resolver, the disk, or the log holds "
        "it",
        i, still_ms / 1000));
  }
  return signs;
}

std::vector<std::string> unready_reasons(const Moment& moment) {
  if (moment.phase == HostView::Phase::opening) {
    return {"the host is opening its plugins and tasks"};
  }
  if (moment.phase == HostView::Phase::down) return {moment.down_because};
  std::vector<std::string> reasons;
  if (moment.phase == HostView::Phase::stopping) reasons.emplace_back("the host is stopping");
  for (const TaskView& task : moment.tasks) {
    if (!task.now.halted) continue;
    reasons.push_back(fmt::format("task {} halted: {}", task.name, task.now.halted->message));
  }
  for (std::string& sign : death_signs(moment)) reasons.push_back(std::move(sign));
  for (std::size_t i = 0; i < moment.workers.size(); ++i) {
    if (!moment.workers[i].waiting_since_ms) continue;
    const std::int64_t waited_ms = moment.steady_ms - *moment.workers[i].waiting_since_ms;
    if (waited_ms < patience_ms) continue;
    reasons.push_back(
        fmt::format("worker {} has waited {} s for the log to take a commit", i, waited_ms / 1000));
  }
  if (moment.log == nullptr) {
    reasons.emplace_back("the log has not been asked yet");
    return reasons;
  }
  const LogReport& log = *moment.log;
  if (!log.health.reachable) {
    reasons.push_back("the log cannot be reached" +
                      (log.health.trouble.empty() ? "" : ": " + log.health.trouble));
  } else if (!log.error.empty()) {
    reasons.push_back("the log does not say where it ends: " + log.error);
  } else if (const std::int64_t age_ms = moment.steady_ms - log.taken_ms; age_ms > patience_ms) {
    reasons.push_back(fmt::format("the log has not answered for {} s", age_ms / 1000));
  }
  return reasons;
}

}  // namespace weir::host
