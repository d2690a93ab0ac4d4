#include "admin/admin.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "admin/client.hpp"
#include "fake_host.hpp"
#include "log/memory_log.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {
namespace {

using namespace std::chrono_literals;
using test::FakeHost;
using test::task_view;

struct Fixture {
  explicit Fixture(HostView::Phase phase = HostView::Phase::running) : host(phase) {
    REQUIRE(log.create_topic("orders", 2));
    host.set_tasks({task_view(0), task_view(1)});
    host.set_workers({{.turned_ms = clock.steady_ms()}});
    auto started = Admin::start({.listen = *parse_listen_address("unix:admin.sock"),
                                 .stuck_after_ms = 30'000,
                                 .state = directory.path()},
                                {host, log, clock, logger});
    REQUIRE(started);
    admin = std::move(*started);
  }

  HttpAnswer get(const std::string& path) {
    const auto answer = http_get(admin->address(), path);
    REQUIRE(answer);
    return *answer;
  }
  /// The answer when `path` gives this status; the last one otherwise.
  HttpAnswer get_until(const std::string& path, int status) {
    HttpAnswer answer = get(path);
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (answer.status != status && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(10ms);
      answer = get(path);
    }
    CHECK(answer.status == status);
    return answer;
  }

  test::TempDir directory;
  SystemClock clock;
  Logger logger{Logger::Format::human, LogLevel::error};
  MemoryLog log;
  FakeHost host;
  std::unique_ptr<Admin> admin;
};

}  // namespace

TEST_CASE("admin: the probes follow the host") {
  Fixture fixture(HostView::Phase::opening);
  CHECK(fixture.get("/livez").body == "alive\n");
  CHECK(fixture.get("/readyz").status == 503);

  fixture.host.set_phase(HostView::Phase::running);
  CHECK(fixture.get_until("/readyz", 200).body == "ready\n");

  TaskView halted = task_view(1);
  halted.now.halted = Error{Errc::refused, "record 7 is odd"};
  fixture.host.set_tasks({task_view(0), halted});
  fixture.host.set_workers({{.turned_ms = fixture.clock.steady_ms() - 31'000}});
  const HttpAnswer ready = fixture.get("/readyz");
  CHECK(ready.status == 503);
  CHECK(ready.body.starts_with("task in-1 halted: record 7 is odd\nworker 0 "));
  CHECK(fixture.get("/livez").status == 503);
  CHECK(fixture.get("/livez").body.starts_with("worker 0 "));
}

TEST_CASE("admin: what the log says of itself reaches the probes by itself") {
  Fixture fixture;
  fixture.get_until("/readyz", 200);

  fixture.log.set_health({false, "no broker answers; is it running?", {}});

  CHECK(fixture.get_until("/readyz", 503).body ==
        "the log cannot be reached: no broker answers; is it running?\n");
  CHECK(fixture.get("/livez").status == 200);
}

TEST_CASE("admin: every page has its content type and an unknown one lists them all") {
  Fixture fixture;
  CHECK(fixture.get("/metrics").content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(fixture.get("/status").content_type == "application/json");
  for (const char* path : {"/", "/metrics/", "/x", "*"}) {
    CAPTURE(path);
    const HttpAnswer answer = fixture.get(path);
    CHECK(answer.status == 404);
    for (const char* page : {"/livez", "/readyz", "/metrics", "/status"}) {
      CHECK(answer.body.find(page) != std::string::npos);
    }
  }
}

TEST_CASE("admin: its address is in the state directory while it runs") {
  Fixture fixture;
  const auto address = read_admin_address(fixture.directory.path());
  REQUIRE(address);
  REQUIRE(address->has_value());
  CHECK((*address)->text() == "unix:" + (fixture.directory / "admin.sock").string());

  fixture.admin.reset();

  CHECK_FALSE(read_admin_address(fixture.directory.path())->has_value());
  CHECK_FALSE(std::filesystem::exists(fixture.directory / "admin.sock"));
}

TEST_CASE("log watch: one look finds the ends and what the log says of itself") {
  SystemClock clock;
  MemoryLog log;
  REQUIRE(log.create_topic("orders", 1));
  REQUIRE(log.add_gap({"orders", 0}, 5));
  log.set_health({true, "one broker is away", {}});
  FakeHost host(HostView::Phase::opening);
  host.set_tasks({task_view(0)});
  LogWatch watch(log, host, clock);
  CHECK(watch.report() == nullptr);

  watch.look();
  CHECK(watch.report()->ends.empty());
  CHECK(watch.report()->health.trouble == "one broker is away");

  host.set_phase(HostView::Phase::running);
  watch.look();
  CHECK(watch.report()->ends.at({"orders", 0}) == 5);
  CHECK(watch.report()->stores.size() == 1);
  CHECK(watch.report()->error.empty());

  host.set_tasks({task_view(0), task_view(1)});  // which the log does not have
  watch.look();
  CHECK(watch.report()->ends.size() == 1);
  CHECK(watch.report()->error.find("orders") != std::string::npos);
}

}  // namespace weir::host
