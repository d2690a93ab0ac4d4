#include "admin/status.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

namespace weir::host {

namespace {

using nlohmann::ordered_json;

double seconds(std::int64_t milliseconds) { return static_cast<double>(milliseconds) / 1000.0; }

std::string_view name_of(HostView::Phase phase) {
  switch (phase) {
    case HostView::Phase::opening:
      return "opening";
    case HostView::Phase::running:
      return "running";
    case HostView::Phase::stopping:
      return "stopping";
    case HostView::Phase::down:
      return "down";
  }
  return "";
}

template <typename T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json times_of(const Histogram& times) {
  return {{"count", times.count()},
          {"p50", times.quantile_seconds(0.5)},
          {"p99", times.quantile_seconds(0.99)}};
}

ordered_json task_of(const Moment& moment, std::size_t number) {
  const TaskView& task = moment.tasks[number];
  const TaskSnapshot& now = task.now;
  const Counters counters = now.counters();
  const Lag lag = lag_of(moment, task);
  ordered_json set_aside = ordered_json::object();
  for (std::size_t i = 0; i < counters.set_aside.size(); ++i) {
    set_aside[std::string(name_of(static_cast<SetAside>(i)))] = counters.set_aside[i];
  }
  std::uint64_t live_bytes = 0;
  for (const ResolverSnapshot& resolver : now.resolvers) live_bytes += resolver.live_bytes;
  ordered_json out{{"task", task.name},
                   {"source", task.source},
                   {"topic", task.input.topic},
                   {"partition", task.input.partition},
                   {"state", now.halted ? "halted" : "running"},
                   {"position", now.position},
                   {"committed", now.committed},
                   {"end", or_null(lag.end)},
                   {"lag_records", or_null(lag.records)},
                   {"lag_seconds", or_null(lag.seconds)},
                   {"records", now.records},
                   {"resolved", counters.resolved},
                   {"skipped", counters.skipped},
                   {"features", counters.features},
                   {"timers_fired", counters.fired},
                   {"retries", counters.retries},
                   {"dead_letters", counters.dead_letters},
                   {"returned", counters.returned},
                   {"set_aside", std::move(set_aside)},
                   {"commits", now.commits},
                   {"commit_seconds", times_of(now.commit_times)},
                   {"publish_seconds", times_of(now.publish_times)},
                   {"last_commit_seconds_ago", nullptr},
                   {"outbox_bytes", now.outbox_bytes},
                   {"live_states", now.live_states()},
                   {"live_state_bytes", live_bytes},
                   {"parked_keys", now.parked_keys()},
                   {"parked_records", now.parked_records()},
                   {"parked_bytes", now.parked_bytes}};
  if (now.commit_wall_ms) {
    out["last_commit_seconds_ago"] =
        seconds(std::max<std::int64_t>(moment.wall_ms - *now.commit_wall_ms, 0));
  }
  if (now.halted) {
    out["halted"] = {{"reason", name_of(now.halted->code)}, {"message", now.halted->message}};
  }
  if (moment.log != nullptr && moment.log->stores.size() == moment.tasks.size()) {
    const TaskStore::Usage& usage = moment.log->stores[number];
    out["store_bytes"] = {
        {"map", usage.map_bytes}, {"file", usage.file_bytes}, {"used", usage.used_bytes}};
  }
  return out;
}

ordered_json workers_of(const Moment& moment) {
  ordered_json out = ordered_json::array();
  for (const WorkerView& worker : moment.workers) {
    out.push_back({{"state", worker.done               ? "done"
                             : worker.waiting_since_ms ? "waits for the log"
                                                       : "turns"},
                   {"turned_seconds_ago", seconds(moment.steady_ms - worker.turned_ms)}});
  }
  return out;
}

ordered_json log_of(const Moment& moment) {
  if (moment.log == nullptr) return nullptr;
  const LogReport& log = *moment.log;
  return {{"reachable", log.health.reachable && log.error.empty()},
          {"trouble", log.error.empty() ? log.health.trouble : log.error},
          {"summary", log.health.summary},
          {"asked_seconds_ago", seconds(moment.steady_ms - log.taken_ms)}};
}

ordered_json worker_pid(const Moment& moment) {
  return moment.phase == HostView::Phase::down ? ordered_json() : ordered_json(getpid());
}

}  // namespace

std::string status_json(const Moment& moment) {
  const std::vector<std::string> reasons = unready_reasons(moment);
  ordered_json plugins = ordered_json::array();
  for (const HostIdentity::Plugin& plugin : moment.identity.plugins) {
    plugins.push_back(
        {{"plugin", plugin.name},
         {"version", plugin.version},
         {"sha256", plugin.sha256},
         {"in_probation", plugin.in_probation},
         {"loaded", plugin.loaded.empty() ? ordered_json() : ordered_json(plugin.loaded)},
         {"reloads", plugin.reloads},
         {"refused_reloads", plugin.refusals},
         {"rollbacks", plugin.rollbacks}});
  }
  ordered_json tasks = ordered_json::array();
  for (std::size_t i = 0; i < moment.tasks.size(); ++i) tasks.push_back(task_of(moment, i));
  const ordered_json out{{"app", moment.identity.app},
                         {"version", moment.identity.version},
                         {"abi", moment.identity.abi},
                         {"pid", moment.pid},
                         {"worker_pid", worker_pid(moment)},
                         {"worker_restarts", moment.restarts},
                         {"uptime_seconds", seconds(moment.steady_ms - moment.started_ms)},
                         {"phase", name_of(moment.phase)},
                         {"ready", reasons.empty()},
                         {"not_ready_because", reasons},
                         {"log", log_of(moment)},
                         {"plugins", std::move(plugins)},
                         {"pinned_plugins", moment.identity.pinned_plugins},
                         {"workers", workers_of(moment)},
                         {"tasks", std::move(tasks)}};
  // A reason may quote a record's bytes; what is not UTF-8 in it is replaced.
  return out.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace weir::host
