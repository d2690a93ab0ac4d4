#include "admin/metrics.hpp"

#include <map>

#include "admin/exposition.hpp"
#include "admin/process_figures.hpp"

namespace weir::host {

namespace {

double to_double(std::uint64_t value) { return static_cast<double>(value); }
double to_double(std::int64_t value) { return static_cast<double>(value); }
double seconds(std::int64_t milliseconds) { return static_cast<double>(milliseconds) / 1000.0; }

void add_host(Exposition& out, const Moment& moment) {
  const HostIdentity& host = moment.identity;
  out.gauge("weir_build_info", "The running build, always 1",
            {{"version", host.version}, {"abi", host.abi}}, 1);
  out.gauge("weir_uptime_seconds", "Since the host was started", {},
            seconds(moment.steady_ms - moment.started_ms));
  out.gauge("weir_ready", "1 where /readyz answers 200, else 0", {},
            unready_reasons(moment).empty() ? 1 : 0);
  out.counter("weir_worker_restarts_total", "Worker processes that had to be replaced", {},
              to_double(moment.restarts));
  for (const HostIdentity::Plugin& plugin : host.plugins) {
    out.gauge("weir_plugin_info", "A plugin that is loaded, always 1",
              {{"plugin", plugin.name}, {"version", plugin.version}, {"sha256", plugin.sha256}}, 1);
    const Labels labels{{"plugin", plugin.name}};
    out.gauge("weir_plugin_in_probation", "1 while a new build may still be taken back, else 0",
              labels, plugin.in_probation ? 1 : 0);
    out.counter("weir_plugin_reloads_total", "Builds that the tasks have gone over to", labels,
                to_double(plugin.reloads));
    out.counter("weir_plugin_refused_reloads_total", "Builds that were refused", labels,
                to_double(plugin.refusals));
    out.counter("weir_plugin_rollbacks_total", "Times that the build before came back", labels,
                to_double(plugin.rollbacks));
    const auto crashes = host.crashes.find(plugin.name);
    out.gauge("weir_plugin_crashes", "Crashes of its own making that are on record", labels,
              crashes == host.crashes.end() ? 0 : to_double(crashes->second));
  }
  for (const auto& [resolver, calls] : host.slow_calls) {
    out.counter("weir_slow_calls_total", "Calls that took longer than watchdog.soft",
                {{"resolver", resolver}}, to_double(calls));
  }
  out.gauge("weir_plugin_pinned_builds", "Builds that stay mapped although nothing uses them", {},
            to_double(host.pinned_plugins));
  for (std::size_t i = 0; i < moment.workers.size(); ++i) {
    const WorkerView& worker = moment.workers[i];
    if (worker.done) continue;
    out.gauge("weir_worker_turn_age_seconds", "Since a worker came round its tasks",
              {{"worker", std::to_string(i)}}, seconds(moment.steady_ms - worker.turned_ms));
  }
}

void add_task(Exposition& out, const Moment& moment, const TaskView& task) {
  const TaskSnapshot& now = task.now;
  const Labels labels{{"source", task.source}, {"partition", std::to_string(task.input.partition)}};
  out.counter("weir_records_total", "Records that were handled", labels, to_double(now.records));
  out.counter("weir_commits_total", "Commits", labels, to_double(now.commits));
  out.gauge("weir_position_offset", "Offset of the next record", labels, to_double(now.position));
  out.gauge("weir_committed_offset", "The same in the newest commit", labels,
            to_double(now.committed));
  const Lag lag = lag_of(moment, task);
  if (lag.end) {
    out.gauge("weir_end_offset", "Offset behind the newest record of the log", labels,
              to_double(*lag.end));
    out.gauge("weir_lag_records", "Offsets from the position to the end", labels,
              to_double(*lag.records));
  }
  if (lag.seconds) {
    out.gauge("weir_lag_seconds", "Age of the last handled record, 0 at the end", labels,
              *lag.seconds);
  }
  if (now.commit_wall_ms) {
    out.gauge("weir_last_commit_timestamp_seconds", "When the newest commit was, since 1970",
              labels, seconds(*now.commit_wall_ms));
  }
  out.gauge("weir_outbox_bytes", "Features and dead letters that are not out yet", labels,
            to_double(now.outbox_bytes));
  Labels halted = labels;
  if (now.halted) halted.emplace_back("reason", name_of(now.halted->code));
  out.gauge("weir_task_halted", "1 where the task has halted, else 0", std::move(halted),
            now.halted ? 1 : 0);
}

void add_stores(Exposition& out, const Moment& moment) {
  if (moment.log == nullptr || moment.log->stores.size() != moment.tasks.size()) return;
  for (std::size_t i = 0; i < moment.tasks.size(); ++i) {
    const TaskView& task = moment.tasks[i];
    const TaskStore::Usage& usage = moment.log->stores[i];
    const Labels labels{{"source", task.source},
                        {"partition", std::to_string(task.input.partition)}};
    out.gauge("weir_store_map_bytes", "What the task's store can have at most", labels,
              to_double(usage.map_bytes));
    out.gauge("weir_store_file_bytes", "The store's file up to its highest page", labels,
              to_double(usage.file_bytes));
    out.gauge("weir_store_used_bytes", "The same without pages that are free again", labels,
              to_double(usage.used_bytes));
  }
}

void add_times(Exposition& out, const Moment& moment) {
  std::map<std::string, Histogram> commits;
  std::map<std::string, Histogram> publications;
  for (const TaskView& task : moment.tasks) {
    commits[task.source] += task.now.commit_times;
    publications[task.source] += task.now.publish_times;
  }
  for (const auto& [source, times] : commits) {
    out.histogram("weir_commit_seconds", "From saving the States of a commit until it is durable",
                  {{"source", source}}, times);
  }
  for (const auto& [source, times] : publications) {
    out.histogram("weir_publish_seconds", "From a durable commit until its features are out",
                  {{"source", source}}, times);
  }
}

void add_resolvers(Exposition& out, const Moment& moment) {
  std::map<std::pair<std::string, std::string>, ResolverSnapshot> sums;  // of all partitions
  for (const TaskView& task : moment.tasks) {
    for (std::size_t i = 0; i < task.resolvers.size(); ++i) {
      const ResolverSnapshot& one = task.now.resolvers[i];
      ResolverSnapshot& sum = sums[{task.source, task.resolvers[i]}];
      sum.outcomes += one.outcomes;
      sum.retries += one.retries;
      sum.live_states += one.live_states;
      sum.live_bytes += one.live_bytes;
      sum.parked_keys += one.parked_keys;
      sum.parked_records += one.parked_records;
    }
  }
  for (const auto& [name, sum] : sums) {
    const Labels labels{{"source", name.first}, {"resolver", name.second}};
    const Outcomes& outcomes = sum.outcomes;
    out.counter("weir_resolved_total", "Calls that succeeded", labels,
                to_double(outcomes.resolved));
    out.counter("weir_skipped_total", "Records that the resolver skipped", labels,
                to_double(outcomes.skipped));
    out.counter("weir_features_total", "Features that were emitted", labels,
                to_double(outcomes.features));
    out.counter("weir_timers_fired_total", "Timers whose handler succeeded", labels,
                to_double(outcomes.fired));
    out.counter("weir_retries_total", "Times that the resolver asked for a record again", labels,
                to_double(sum.retries));
    out.counter("weir_returned_total", "Dead letters that were sent back and handled", labels,
                to_double(outcomes.returned));
    out.counter("weir_dead_letters_total", "Records that became dead letters", labels,
                to_double(outcomes.dead_letters));
    for (std::size_t i = 0; i < outcomes.set_aside.size(); ++i) {
      Labels with_reason = labels;
      with_reason.emplace_back("reason", name_of(static_cast<SetAside>(i)));
      out.counter("weir_set_aside_total", "Records that did not reach the resolver or were refused",
                  std::move(with_reason), to_double(outcomes.set_aside[i]));
    }
    out.gauge("weir_live_states", "States in memory", labels, to_double(sum.live_states));
    out.gauge("weir_live_state_bytes", "Their memory, estimated", labels,
              to_double(sum.live_bytes));
    out.gauge("weir_parked_keys", "Keys that wait", labels, to_double(sum.parked_keys));
    out.gauge("weir_parked_records", "Records that wait", labels, to_double(sum.parked_records));
  }
}

void add_sinks(Exposition& out, const Moment& moment) {
  std::map<std::string, std::uint64_t> sums;
  for (const TaskView& task : moment.tasks) {
    for (std::size_t i = 0; i < task.sinks.size(); ++i)
      sums[task.sinks[i]] += task.now.published[i];
  }
  for (const auto& [sink, count] : sums) {
    out.counter("weir_published_records_total", "Records that went out to a sink", {{"sink", sink}},
                to_double(count));
  }
}

void add_log(Exposition& out, const Moment& moment) {
  if (moment.log == nullptr) return;
  const LogReport& log = *moment.log;
  out.gauge("weir_log_reachable", "1 where the log answers, else 0", {},
            log.health.reachable && log.error.empty() ? 1 : 0);
  out.gauge("weir_log_report_age_seconds", "Since the log was asked for its ends", {},
            seconds(moment.steady_ms - log.taken_ms));
  for (const LogFigure& figure : log.health.figures) {
    if (figure.kind == LogFigure::Kind::counter) {
      out.counter(figure.name, figure.help, figure.labels, figure.value);
    } else {
      out.gauge(figure.name, figure.help, figure.labels, figure.value);
    }
  }
}

}  // namespace

std::string metrics_text(const Moment& moment) {
  Exposition out;
  add_host(out, moment);
  for (const TaskView& task : moment.tasks) add_task(out, moment, task);
  add_stores(out, moment);
  add_times(out, moment);
  add_resolvers(out, moment);
  add_sinks(out, moment);
  add_log(out, moment);
  add_process(out);
  return out.text();
}

}  // namespace weir::host
