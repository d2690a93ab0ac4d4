#include "admin/health.hpp"

#include <doctest/doctest.h>

#include "admin/metrics.hpp"
#include "admin/status.hpp"
#include "fake_host.hpp"

namespace weir::host {
namespace {

using test::task_view;

/// A host with two tasks and one worker that does all of its work.
Moment good_moment() {
  Moment moment;
  moment.steady_ms = 100'000;
  moment.wall_ms = 1'700'000'000'000;
  moment.stuck_after_ms = 60'000;
  moment.phase = HostView::Phase::running;
  moment.tasks = {task_view(0), task_view(1)};
  moment.workers = {{.turned_ms = 99'990}};
  LogReport log;
  log.taken_ms = 99'500;
  log.ends = {{{"orders", 0}, 10}, {{"orders", 1}, 20}};
  log.stores.resize(2);
  moment.log = std::make_shared<LogReport>(log);
  return moment;
}

void change_log(Moment& moment, const std::function<void(LogReport&)>& change) {
  LogReport log = *moment.log;
  change(log);
  moment.log = std::make_shared<LogReport>(log);
}

/// The only reason why the host is not ready.
std::string only_reason(const Moment& moment) {
  const std::vector<std::string> reasons = unready_reasons(moment);
  REQUIRE(reasons.size() == 1);
  return reasons.front();
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("health: a host that does all of its work is alive and ready") {
  CHECK(death_signs(good_moment()).empty());
  CHECK(unready_reasons(good_moment()).empty());
}

TEST_CASE("health: a worker that does not turn is a sign of death and named") {
  Moment moment = good_moment();
  moment.workers.push_back({.turned_ms = 40'000});

  REQUIRE(death_signs(moment).size() == 1);
  CHECK(holds(death_signs(moment).front(), "worker 1 "));
  CHECK(holds(death_signs(moment).front(), "60 s"));
  CHECK(holds(only_reason(moment), "worker 1 "));

  moment.workers[1].turned_ms = 40'001;
  CHECK(death_signs(moment).empty());
}

TEST_CASE("health: a worker that waits for the log is alive and not ready") {
  Moment moment = good_moment();
  moment.workers.front() = {.turned_ms = 0, .waiting_since_ms = 10};

  CHECK(death_signs(moment).empty());
  CHECK(holds(only_reason(moment), "worker 0 has waited 99 s for the log"));

  moment.workers.front().waiting_since_ms = 95'000;
  CHECK(unready_reasons(moment).empty());
}

TEST_CASE("health: a worker that is done need not turn") {
  Moment moment = good_moment();
  moment.workers.front() = {.turned_ms = 0, .done = true};

  CHECK(death_signs(moment).empty());
}

TEST_CASE("health: opening and stopping are no death and not ready") {
  Moment moment;
  moment.phase = HostView::Phase::opening;
  CHECK(death_signs(moment).empty());
  CHECK(holds(only_reason(moment), "opening"));

  moment = good_moment();
  moment.phase = HostView::Phase::stopping;
  CHECK(death_signs(moment).empty());
  CHECK(holds(only_reason(moment), "stopping"));
}

TEST_CASE("health: a halted task is a reason with its own words") {
  Moment moment = good_moment();
  moment.tasks[1].now.halted = Error{Errc::full, "the map is full"};

  CHECK(death_signs(moment).empty());
  CHECK(only_reason(moment) == "task in-1 halted: the map is full");
}

TEST_CASE("health: a log that is away or silent is a reason") {
  Moment moment = good_moment();
  change_log(moment, [](LogReport& log) { log.health = {false, "broker 1 is down", {}}; });
  CHECK(only_reason(moment) == "the log cannot be reached: broker 1 is down");

  moment = good_moment();
  change_log(moment, [](LogReport& log) { log.health.trouble = "broker 1 of 3 is down"; });
  CHECK(unready_reasons(moment).empty());

  change_log(moment, [](LogReport& log) { log.error = "timed out"; });
  CHECK(holds(only_reason(moment), "timed out"));

  moment = good_moment();
  moment.steady_ms += 10'000;
  moment.workers.front().turned_ms = moment.steady_ms;
  CHECK(holds(only_reason(moment), "has not answered for 10 s"));

  moment.log = nullptr;
  CHECK(holds(only_reason(moment), "not been asked"));
}

TEST_CASE("health: lag is what lies between the position and the end") {
  Moment moment = good_moment();
  TaskView& task = moment.tasks[0];

  task.now.position = 4;
  CHECK(lag_of(moment, task).records == 6);
  CHECK_FALSE(lag_of(moment, task).seconds);  // nothing was handled yet, so nobody knows

  task.now.record_timestamp_ms = moment.wall_ms - 2500;
  CHECK(lag_of(moment, task).seconds == 2.5);

  task.now.record_timestamp_ms = moment.wall_ms + 99;  // a clock that is ahead
  CHECK(lag_of(moment, task).seconds == 0.0);

  task.now.record_timestamp_ms = 0;
  task.now.position = 10;
  CHECK(lag_of(moment, task).records == 0);
  CHECK(lag_of(moment, task).seconds == 0.0);

  task.now.position = 12;  // the end was asked for a moment ago
  CHECK(lag_of(moment, task).records == 0);

  change_log(moment, [](LogReport& log) { log.ends.erase({"orders", 0}); });
  CHECK_FALSE(lag_of(moment, task).end);
  CHECK_FALSE(lag_of(moment, task).records);
  CHECK_FALSE(lag_of(moment, task).seconds);
}

TEST_CASE("health: while the log does not answer lag is what it knew before") {
  Moment moment = good_moment();
  moment.tasks[0].now.position = 8;
  change_log(moment, [](LogReport& log) {
    log.ends.clear();
    log.health.ends = {{{"orders", 0}, 10}};
  });

  CHECK(lag_of(moment, moment.tasks[0]).records == 2);
  CHECK_FALSE(lag_of(moment, moment.tasks[1]).records);
}

TEST_CASE("metrics: what resolvers counted is summed over partitions and positions are not") {
  Moment moment = good_moment();
  for (TaskView& task : moment.tasks) {
    task.now.resolvers[0].outcomes.resolved = 5;
    task.now.resolvers[0].outcomes.set_aside[static_cast<std::size_t>(SetAside::late)] = 2;
    task.now.published = {3, 1};
    task.now.position = task.input.partition + 7;
    task.now.commit_times.add(3000);
  }
  const std::string text = metrics_text(moment);

  CHECK(holds(text, "\nweir_resolved_total{source=\"in\",resolver=\"post\"} 10\n"));
  CHECK(holds(text, "{source=\"in\",resolver=\"post\",reason=\"late\"} 4\n"));
  CHECK(holds(text, "\nweir_published_records_total{sink=\"out\"} 6\n"));
  CHECK(holds(text, "\nweir_published_records_total{sink=\"#deadletters\"} 2\n"));
  CHECK(holds(text, "\nweir_position_offset{source=\"in\",partition=\"0\"} 7\n"));
  CHECK(holds(text, "\nweir_position_offset{source=\"in\",partition=\"1\"} 8\n"));
  CHECK(holds(text, "\nweir_commit_seconds_bucket{source=\"in\",le=\"0.0025\"} 0\n"));
  CHECK(holds(text, "\nweir_commit_seconds_bucket{source=\"in\",le=\"0.005\"} 2\n"));
  CHECK(holds(text, "\nweir_commit_seconds_bucket{source=\"in\",le=\"+Inf\"} 2\n"));
  CHECK(holds(text, "\nweir_commit_seconds_count{source=\"in\"} 2\n"));
}

TEST_CASE("metrics: the log's own figures are among them with their labels") {
  Moment moment = good_moment();
  change_log(moment, [](LogReport& log) {
    log.health.figures = {
        {"weir_log_requests_total", "Requests", LogFigure::Kind::counter, {{"broker", "1"}}, 3},
        {"weir_log_requests_total", "Requests", LogFigure::Kind::counter, {{"broker", "2\"\\"}}, 4},
        {"weir_log_queue_bytes", "Waiting", LogFigure::Kind::gauge, {}, 5}};
  });
  const std::string text = metrics_text(moment);

  CHECK(holds(text,
              "# TYPE weir_log_requests_total counter\n"
              "weir_log_requests_total{broker=\"1\"} 3\n"
              "weir_log_requests_total{broker=\"2\\\"\\\\\"} 4\n"));
  CHECK(holds(text, "\nweir_log_queue_bytes 5\n"));
}

TEST_CASE("metrics: a halt has its reason as a label and no words of its own") {
  Moment moment = good_moment();
  moment.tasks[1].now.halted = Error{Errc::full, "key \"ana\" did it"};
  const std::string text = metrics_text(moment);

  CHECK(holds(text, "\nweir_task_halted{source=\"in\",partition=\"0\"} 0\n"));
  CHECK(holds(text, "\nweir_task_halted{source=\"in\",partition=\"1\",reason=\"full\"} 1\n"));
  CHECK(holds(text, "\nweir_ready 0\n"));
  CHECK_FALSE(holds(text, "ana"));
}

TEST_CASE("status: bytes of a record that a halt quotes do not break the JSON") {
  Moment moment = good_moment();
  moment.tasks[0].now.halted = Error{Errc::refused, "key \"\xFF\n\" is odd"};
  const std::string text = status_json(moment);

  CHECK(holds(text, "key \\\"\xEF\xBF\xBD\\n\\\" is odd"));
}

}  // namespace weir::host
