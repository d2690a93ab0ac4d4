// Where records go that do not end as features, and what each of these ends leaves behind.
#include <doctest/doctest.h>

#include "probe_driver.hpp"

namespace weir::test {

namespace {

using Strings = std::vector<std::string>;
using Numbers = std::vector<std::int64_t>;

std::string app_with(std::string_view source, std::string_view resolver = "") {
  return fmt::format(R"(
app: probe
plugins: [probe.so]
sources:
  commands: {{topic: commands{}}}
resolvers:
  follow: {{use: probe/follow, from: commands, to: {{balances: balances}}{}}}
sinks:
  balances: {{topic: balances}}
)",
                     source, resolver);
}

}  // namespace

TEST_CASE("outcomes: fatal commits what came before and halts the task") {
  ProbeDriver host(app_with(""));
  host.tell("ana", "first", 1);
  host.tell("ana", "fatal", 10);
  host.tell("ana", "never", 100);

  REQUIRE(host.halted().has_value());
  CHECK(host.halted()->find("it is over") != std::string::npos);
  CHECK(host.halted()->find("offset 1") != std::string::npos);
  host.crash();
  CHECK(host.applied("ana") == Strings{"first"});
  CHECK(host.sums() == Numbers{1});
}

TEST_CASE("outcomes: an undecodable record goes where the policy says") {
  SUBCASE("dead_letter") {
    ProbeDriver host(app_with(""));
    host.pipe("commands", "{broken", {.key = "k", .headers = {{"trace", "7"}}});
    host.tell("ana", "first", 1);

    REQUIRE(host.dead_letters().size() == 1);
    const DeadLetterRecord letter = host.dead_letters()[0];
    CHECK(letter.error == "undecodable");
    CHECK_FALSE(letter.reason.empty());
    CHECK(letter.key == "k");
    CHECK(letter.value == "{broken");
    CHECK(letter.headers.at("trace") == "7");
    CHECK(letter.headers.at("weir.offset") == "0");
    CHECK(letter.headers.at("weir.topic") == "commands");
    CHECK(letter.headers.at("weir.source") == "commands");
    CHECK(letter.headers.at("weir.resolver") == "follow");
    CHECK(letter.headers.at("weir.plugin") == "probe");
    CHECK(letter.headers.at("weir.plugin_version") == "1.2.3");
    CHECK(host.applied("ana") == Strings{"first"});
  }
  SUBCASE("drop") {
    ProbeDriver host(app_with(", undecodable: drop"));
    host.pipe("commands", "{broken");

    CHECK(host.dead_letters().empty());
    CHECK(host.count("undecodable") == 1);
    CHECK(host.count("records") == 1);
  }
  SUBCASE("halt") {
    ProbeDriver host(app_with(", undecodable: halt"));
    host.tell("ana", "first", 1);
    host.pipe("commands", "{broken");

    REQUIRE(host.halted().has_value());
    CHECK(host.halted()->find("offset 1") != std::string::npos);
    CHECK(host.halted()->find("undecodable") != std::string::npos);
    CHECK(host.applied("ana") == Strings{"first"});
  }
}

TEST_CASE("outcomes: a null value has no message and goes where the policy says") {
  SUBCASE("drop by default") {
    ProbeDriver host(app_with(""));
    host.pipe_null("commands", {.key = "k"});
    CHECK(host.count("null_value") == 1);
    CHECK(host.dead_letters().empty());
  }
  SUBCASE("dead_letter keeps it null") {
    ProbeDriver host(app_with(", null_value: dead_letter"));
    host.pipe_null("commands", {.key = "k"});
    REQUIRE(host.dead_letters().size() == 1);
    CHECK_FALSE(host.dead_letters()[0].value.has_value());
  }
  SUBCASE("a resolver that takes record bytes sees it") {
    ProbeDriver host(R"(
app: probe
plugins: [probe.so]
sources: {raw: {topic: raw, format: bytes}}
resolvers: {echo: {use: probe/echo, from: raw, to: out}}
sinks: {out: {topic: out}}
)");
    host.pipe_null("raw");
    host.pipe("raw", "");
    const auto seen = host.features<probe::Balance>();
    REQUIRE(seen.size() == 2);
    CHECK(seen[0].key() == "null");
    CHECK(seen[1].key() == "");
  }
}

TEST_CASE("outcomes: keys that are empty or too long are set aside with the reason") {
  ProbeDriver host(app_with(""));
  host.tell("", "first", 1);
  host.tell(std::string(512, 'k'), "first", 1);
  host.tell(std::string(511, 'k'), "first", 1);

  REQUIRE(host.dead_letters().size() == 2);
  CHECK(host.dead_letters()[0].error == "key");
  CHECK(host.dead_letters()[0].reason == "the extracted key is empty");
  CHECK(host.dead_letters()[1].reason.find("512") != std::string::npos);
  CHECK(host.applied(std::string(511, 'k')) == Strings{"first"});
}

TEST_CASE("outcomes: a late record never reaches the resolver or a State") {
  const auto at = [](std::int64_t ms) {
    return fmt::format(R"({{"key": "ana", "action": "ok", "amount": 1, "atMs": "{}"}})", ms);
  };

  SUBCASE("against the clock") {
    ProbeDriver host(app_with(", late_arrival_deadline: 30m"));
    host.pipe("commands", at(start_ms - 30 * 60'000));      // exactly on the deadline: on time
    host.pipe("commands", at(start_ms - 30 * 60'000 - 1));  // one millisecond more: late
    host.advance(std::chrono::minutes(31));
    host.pipe("commands", at(start_ms));
    CHECK(host.count("late") == 2);
    CHECK(host.sums() == Numbers{1});
    CHECK(host.dead_letters().empty());
  }
  SUBCASE("against the record's timestamp, as dead letters") {
    ProbeDriver host(app_with(", late_arrival_deadline: 30m, arrival: record, late: dead_letter"));
    host.pipe("commands", at(1'000), {.timestamp_ms = 1'000 + 30 * 60'000});
    host.pipe("commands", at(1'000), {.timestamp_ms = 1'001 + 30 * 60'000});
    CHECK(host.count("late") == 1);
    REQUIRE(host.dead_letters().size() == 1);
    CHECK(host.dead_letters()[0].error == "late");
    CHECK(host.dead_letters()[0].reason == "it is 1800001 ms old and the deadline is 1800000 ms");
  }
  SUBCASE("infinity is the default") {
    ProbeDriver host(app_with(""));
    host.pipe("commands", at(1));
    CHECK(host.count("late") == 0);
    CHECK(host.sums() == Numbers{1});
  }
}

TEST_CASE("outcomes: a key that belongs to another partition is misplaced") {
  ProbeDriver host(app_with(", partitions: 4"));
  const std::string value = R"({"key": "ana", "action": "ok", "amount": 1})";
  host.pipe("commands", value, {.key = "ana"});
  for (int partition = 0; partition < 4; ++partition) {
    host.pipe("commands", value, {.partition = partition});
  }

  CHECK(host.count("misplaced") == 3);
  CHECK(host.applied("ana") == Strings{"ok", "ok"});
  CHECK(host.dead_letters()[0].reason.find("belongs to partition") != std::string::npos);
}

TEST_CASE("outcomes: features carry the key of the State and the event time") {
  ProbeDriver host(app_with(""));
  host.pipe("commands", R"({"key": "ana", "action": "ok", "amount": 1, "atMs": "77"})",
            {.key = "other"});
  host.commit();

  REQUIRE(host.emitted().size() == 1);
  CHECK(host.emitted()[0].sink == "balances");
  CHECK(host.emitted()[0].key == "ana");
  CHECK(host.emitted()[0].timestamp_ms == 77);
}

TEST_CASE("outcomes: settings reach the resolver and are refused with the plugin's words") {
  ProbeDriver host(app_with("", ", settings: {factor: 3}"));
  host.tell("ana", "ok", 5);
  CHECK(host.sums() == Numbers{15});

  CHECK_THROWS_WITH_AS(ProbeDriver(app_with("", ", settings: {refuse: true}")),
                       doctest::Contains("these settings are refused"), TestDriverError);
  CHECK_THROWS_WITH_AS(ProbeDriver(app_with("", ", settings: {factr: 3}")),
                       doctest::Contains("factor"), TestDriverError);
}

TEST_CASE("outcomes: one piece of code serves under two names with States of their own") {
  ProbeDriver host(R"(
app: probe
plugins: [probe.so]
sources: {commands: {topic: commands}}
resolvers:
  single: {use: probe/follow, from: commands, to: {balances: one}}
  triple: {use: probe/follow, from: commands, to: {balances: three}, settings: {factor: 3}}
sinks: {one: {topic: one}, three: {topic: three}}
)");
  host.tell("ana", "ok", 5);
  host.commit();

  CHECK(host.state<probe::Ledger>("ana", "single").sum() == 5);
  CHECK(host.state<probe::Ledger>("ana", "triple").sum() == 15);
}

TEST_CASE("outcomes: a record that comes twice is applied twice") {
  ProbeDriver host(app_with(""));
  host.tell("ana", "first", 1);
  host.tell("ana", "second", 2);
  host.redeliver("commands", 2);

  CHECK(host.applied("ana") == Strings{"first", "second", "first", "second"});
}

}  // namespace weir::test
