#include "app/status_table.hpp"

#include <doctest/doctest.h>

#include "admin/status.hpp"
#include "fake_host.hpp"

namespace weir::host {

TEST_CASE("status table: a length of time is shown in units that fit it") {
  CHECK(readable_seconds(0) == "0 ms");
  CHECK(readable_seconds(0.00125) == "1.25 ms");
  CHECK(readable_seconds(0.9994) == "999 ms");
  CHECK(readable_seconds(0.9996) == "1.0 s");
  CHECK(readable_seconds(59.94) == "59.9 s");
  CHECK(readable_seconds(59.96) == "1m00s");
  CHECK(readable_seconds(3599.4) == "59m59s");
  CHECK(readable_seconds(3600) == "1h00m");
  CHECK(readable_seconds(90'061) == "1d01h");
}

TEST_CASE("status table: the host's own JSON becomes a line of the host and a row a task") {
  Moment moment;
  moment.phase = HostView::Phase::running;
  moment.steady_ms = 65'000;
  moment.wall_ms = 1'700'000'000'000;
  moment.stuck_after_ms = 60'000;
  moment.identity = {"shop", "1.2.3", "1.0", {{"ledger", "2.0", "0123456789abcdef"}}};
  moment.workers = {{.turned_ms = 65'000}};
  moment.tasks = {test::task_view(0), test::task_view(1)};
  TaskSnapshot& first = moment.tasks[0].now;
  first.position = 40;
  first.records = 40;
  first.record_timestamp_ms = moment.wall_ms - 1500;
  first.commit_wall_ms = moment.wall_ms - 80;
  first.commit_times.add(700);
  first.resolvers[0].outcomes.set_aside[static_cast<std::size_t>(SetAside::late)] = 3;
  first.resolvers[0].outcomes.set_aside[static_cast<std::size_t>(SetAside::key)] = 1;
  moment.tasks[1].now.halted = Error{Errc::refused, "record 7 is odd"};
  LogReport log;
  log.taken_ms = 64'990;
  log.ends = {{{"orders", 0}, 50}};
  log.health.summary = "3 brokers connected";
  moment.log = std::make_shared<LogReport>(log);

  const auto table = StatusTable::read(status_json(moment));

  REQUIRE(table);
  CHECK_FALSE(table->ready());
  CHECK(table->text().find("\nlog 3 brokers connected\nplugin ") != std::string::npos);
  const std::string& text = table->text();
  CAPTURE(text);
  CHECK(text.starts_with("app shop, weir 1.2.3 (abi 1.0), pid "));
  CHECK(text.find(", up 1m05s: not ready\n  task in-1 halted: record 7 is odd\n") != text.npos);
  CHECK(text.find("plugin ledger 2.0 (sha256 0123456789ab)\n") != text.npos);
  CHECK(text.find("in      0          running  40        10   1.5 s   40       late 3, key 1  "
                  "0.75 ms / 0.995 ms  80 ms ago\n") != text.npos);
  CHECK(text.find("in      1          halted   0         ?    ?       0        -              -"
                  "                   -\n") != text.npos);
}

TEST_CASE("status table: what another version says is refused and not misread") {
  for (const char* json : {"", "{}", "[]", "{\"ready\": 1}", "not json", "{\"ready\": true}"}) {
    CAPTURE(json);
    const auto table = StatusTable::read(json);
    REQUIRE_FALSE(table);
    CHECK(table.error().code == Errc::invalid);
  }
}

}  // namespace weir::host
