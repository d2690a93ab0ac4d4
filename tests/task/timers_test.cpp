// Timers: when they fire, in which order, how they end, and what is left of them afterwards.
#include <doctest/doctest.h>

#include <random>

#include "probe_driver.hpp"

namespace weir::test {

namespace {

using std::chrono::milliseconds;
using Strings = std::vector<std::string>;
using Numbers = std::vector<std::int64_t>;
using Told = ProbeDriver::Told;

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

Strings keys_of(const ProbeDriver& host) {
  Strings keys;
  for (const auto& balance : host.features<probe::Balance>()) keys.push_back(balance.key());
  return keys;
}

}  // namespace

TEST_CASE("timers: one fires once when its time has come and not before") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1, {.timer_ms = start_ms + 500});
  host.advance(milliseconds(499));
  CHECK(host.applied("ana") == Strings{"first"});

  host.advance(milliseconds(10'000));  // it fires at its time, not at the end
  CHECK(host.applied("ana") == Strings{"first", rang(start_ms + 500, start_ms + 500)});
  CHECK(host.sums() == Numbers{1, 1001});
  CHECK(host.count("fired") == 1);
  CHECK(host.count("records") == 1);
  CHECK(host.count("resolved") == 1);
  const auto emitted = host.emitted();
  REQUIRE(emitted.size() == 2);
  CHECK(emitted[1].key == "ana");
  CHECK(emitted[1].timestamp_ms == start_ms + 500);
}

TEST_CASE("timers: the last call wins and a cancelled one never fires") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1, {.timer_ms = start_ms + 100});
  host.tell("ana", "later", 1, {.timer_ms = start_ms + 300});
  host.tell("ben", "first", 1, {.timer_ms = start_ms + 300});
  host.tell("ben", "sooner", 1, {.timer_ms = start_ms + 100});
  host.tell("eva", "first", 1, {.timer_ms = start_ms + 100});
  host.commit();
  host.tell("eva", "cancel");
  host.tell("kim", "cancel");  // has none
  host.advance(milliseconds(200));
  CHECK(host.count("fired") == 1);
  CHECK(host.applied("ben").back() == rang(start_ms + 100, start_ms + 100));
  host.advance(milliseconds(1000));
  CHECK(host.count("fired") == 2);
  CHECK(host.applied("ana").back() == rang(start_ms + 300, start_ms + 300));
  CHECK(host.applied("eva") == Strings{"first", "cancel"});
}

TEST_CASE("timers: those that are due fire in the order of time and key") {
  for (const bool committed : {false, true}) {
    CAPTURE(committed);
    ProbeDriver host(app_with(", arrival: record"));
    const auto at = [](std::int64_t ms) { return Envelope{.timestamp_ms = ms}; };
    host.tell("c", "x", 1, {.timer_ms = 20}, at(1));
    host.tell("b", "x", 1, {.timer_ms = 10}, at(2));
    if (committed) host.commit();
    host.tell("d", "x", 1, {.timer_ms = 10}, at(3));
    host.tell("a", "x", 1, {.timer_ms = 20}, at(4));
    host.tell("e", "x", 1, {.timer_ms = -5}, at(4));
    host.tell("late", "x", 1, {}, at(1000));
    CHECK(keys_of(host) == Strings{"c", "b", "d", "a", "e", "e", "b", "d", "a", "c", "late"});
  }
}

TEST_CASE("timers: one that is set in the past fires at the next opportunity and moves on") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1, {.timer_ms = 7, .again_ms = -1});  // always in its own past
  CHECK(host.applied("ana") == Strings{"first", rang(7, start_ms)});
  host.advance(milliseconds(2));
  CHECK(host.applied("ana") == Strings{"first", rang(7, start_ms), rang(start_ms + 1, start_ms + 1),
                                       rang(start_ms + 2, start_ms + 2)});
}

TEST_CASE("timers: many that are due at once let records pass between them") {
  ProbeDriver host(one_resolver);
  for (int i = 0; i < 2'500; ++i) host.tell(fmt::format("key-{}", i), "x", 1, {.timer_ms = 1});
  CHECK(host.count("fired") == 2'500);
  host.crash();
  host.recover();  // all records are there at once, and each sets a timer that is due
  CHECK(host.count("fired") == 5'000);
  const Numbers sums = host.sums();
  REQUIRE(sums.size() == 5'000);
  const auto timers_of_turn = [&](std::ptrdiff_t from, std::ptrdiff_t count) {
    return std::count(sums.begin() + from, sums.begin() + from + count, 1001);
  };
  CHECK(timers_of_turn(0, 1'000) == 0);
  CHECK(timers_of_turn(1'000, 1'000) == 1'000);
  CHECK(timers_of_turn(2'000, 1'000) == 0);
  CHECK(timers_of_turn(3'000, 1'000) == 1'000);
}

TEST_CASE("timers: many that are committed are read page by page and in order") {
  ProbeDriver host(one_resolver);
  Strings expected;
  for (int i = 0; i < 600; ++i) {
    const std::string key = fmt::format("key-{:03}", i);
    host.tell(key, "x", 1, {.timer_ms = start_ms + 100 + i / 100});
    expected.push_back(key);
  }
  host.commit();
  host.tell("key-300", "cancel");  // on a later page
  host.tell("key-599", "x", 1, {.timer_ms = start_ms + 50});
  expected.erase(expected.begin() + 300);
  expected.pop_back();
  expected.insert(expected.begin(), "key-599");
  host.advance(milliseconds(1'000));

  const Strings keys = keys_of(host);
  REQUIRE(keys.size() == 600 + 2 + 599);
  CHECK(Strings(keys.begin() + 602, keys.end()) == expected);
}

TEST_CASE("timers: skip ends one without effect") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1, {.timer_ms = start_ms + 5, .on_timer = "skip", .again_ms = 5});
  host.advance(milliseconds(100));
  host.commit();
  CHECK(host.applied("ana") == Strings{"first"});
  CHECK(host.sums() == Numbers{1});
  CHECK(host.count("skipped") == 1);
  CHECK(host.count("fired") == 0);
  CHECK(host.dead_letters().empty());
}

TEST_CASE("timers: a refused one goes where the policy says and is gone") {
  const Told throwing{.timer_ms = start_ms + 5, .on_timer = "throw", .again_ms = 5};
  SUBCASE("dead_letter") {
    ProbeDriver host(one_resolver);
    host.tell("ana", "first", 1, throwing);
    host.advance(milliseconds(100));
    host.commit();
    CHECK(host.applied("ana") == Strings{"first"});
    REQUIRE(host.dead_letters().size() == 1);
    const DeadLetterRecord letter = host.dead_letters()[0];
    CHECK(letter.error == "rejected");
    CHECK(letter.reason == "it threw");
    CHECK(letter.key == "ana");
    CHECK(letter.value == "");
    CHECK(letter.headers.at("weir.timer_ms") == std::to_string(start_ms + 5));
    CHECK(letter.headers.at("weir.resolver") == "follow");
    CHECK(letter.headers.at("weir.plugin") == "probe");
    CHECK_FALSE(letter.headers.contains("weir.offset"));
    CHECK(host.count("rejected") == 1);
  }
  SUBCASE("drop") {
    ProbeDriver host(app_with(", rejected: drop"));
    host.tell("ana", "first", 1, throwing);
    host.advance(milliseconds(100));
    CHECK(host.dead_letters().empty());
    CHECK(host.count("rejected") == 1);
    CHECK_FALSE(host.halted().has_value());
  }
  SUBCASE("halt keeps it") {
    ProbeDriver host(app_with(", rejected: halt"));
    host.tell("ana", "first", 1, throwing);
    host.advance(milliseconds(100));
    REQUIRE(host.halted().has_value());
    CHECK(host.halted()->find("the timer of resolver follow for key \"ana\"") != std::string::npos);
    host.crash();
    host.recover();
    CHECK(host.halted().has_value());
  }
}

TEST_CASE("timers: a retry sets it again until there were too many") {
  ProbeDriver host(app_with("", ", retry: {attempts: 3}"));
  host.tell("ana", "first", 1, {.timer_ms = start_ms + 5, .on_timer = "retry"});
  host.advance(milliseconds(5));
  CHECK(host.count("retries") == 1);
  host.commit();
  host.crash();
  host.recover();  // the attempts are not forgotten
  host.advance(milliseconds(4'999));
  CHECK(host.count("retries") == 1);
  host.advance(milliseconds(1));
  CHECK(host.count("retries") == 2);
  host.advance(milliseconds(5'000));
  REQUIRE(host.dead_letters().size() == 1);
  CHECK(host.dead_letters()[0].reason.starts_with("gave up after 3 tries"));
  host.advance(milliseconds(60'000));
  CHECK(host.count("retries") == 2);
  CHECK(host.applied("ana") == Strings{"first"});
}

TEST_CASE("timers: fatal commits what came before and halts and the timer stays") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1, {.timer_ms = start_ms + 5, .on_timer = "fatal"});
  host.advance(milliseconds(100));
  REQUIRE(host.halted().has_value());
  CHECK(host.halted()->find("timer of key \"ana\"") != std::string::npos);
  host.crash();
  CHECK(host.applied("ana") == Strings{"first"});
  host.recover();
  CHECK(host.halted().has_value());
}

TEST_CASE("timers: discarding the State clears its timer") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1, {.timer_ms = start_ms + 50});
  host.commit();
  host.tell("ana", "discard", 1, {.timer_ms = start_ms + 60});  // also one that it sets itself
  host.advance(milliseconds(100));
  host.tell("ben", "first", 1, {.timer_ms = start_ms + 150, .on_timer = "discard", .again_ms = 5});
  host.advance(milliseconds(100));
  host.commit();
  CHECK_FALSE(host.has_state("ana"));
  CHECK_FALSE(host.has_state("ben"));
  CHECK(host.count("fired") == 1);
}

TEST_CASE("timers: a resolver that cannot have one is told so") {
  ProbeDriver host(R"(
app: probe
plugins: [probe.so]
sources: {commands: {topic: commands}, raw: {topic: raw, format: bytes}}
resolvers:
  total: {use: probe/total, from: commands}
  echo: {use: probe/echo, from: raw}
)");
  host.tell("ana", "timer without handler", 1, {.timer_ms = 1});
  host.pipe("raw", "timer");
  REQUIRE(host.dead_letters().size() == 2);
  CHECK(host.dead_letters()[0].reason.find("add .on_notify<>()") != std::string::npos);
  CHECK(host.dead_letters()[1].reason.find("a stateless resolver has no timers") !=
        std::string::npos);
  CHECK_FALSE(host.has_state("ana"));
}

TEST_CASE("timers: a key can be too long for one") {
  ProbeDriver host(one_resolver);
  const std::string fits(499, 'k');
  const std::string too_long(500, 'k');
  host.tell(fits, "first", 1, {.timer_ms = start_ms + 5});
  host.tell(too_long, "first", 1, {.timer_ms = start_ms + 5});
  host.tell(too_long, "second", 1);
  host.tell(too_long, "discard", 1);
  host.commit();
  host.advance(milliseconds(5));
  CHECK(host.applied(fits).size() == 2);
  REQUIRE(host.dead_letters().size() == 1);
  CHECK(host.dead_letters()[0].reason == "a timer for a key of 500 B, the limit is 499 B");
  CHECK_FALSE(host.has_state(too_long));
}

TEST_CASE("timers: the handler has no record to look at") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1, {.timer_ms = 1, .on_timer = "look at the record"});
  REQUIRE(host.dead_letters().size() == 1);
  CHECK(host.dead_letters()[0].reason == "weir: a timer has no record");
}

TEST_CASE("timers: they survive a crash and are set again by records that come again") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1, {.timer_ms = start_ms + 10});
  host.commit();
  host.tell("ben", "first", 1, {.timer_ms = start_ms + 20});
  host.crash();
  host.recover();
  host.advance(milliseconds(30));
  CHECK(host.count("fired") == 2);
  host.crash();  // the firings were not committed
  CHECK(host.applied("ana") == Strings{"first"});
  host.recover();
  CHECK(host.count("fired") == 4);
  host.commit();
  host.crash();
  host.recover();
  host.advance(milliseconds(30));
  CHECK(host.count("fired") == 4);
  CHECK(host.sums() == Numbers{1, 1001, 1, 1001});  // at the last start one was overdue
  CHECK(host.applied("ana") == Strings{"first", rang(start_ms + 10, start_ms + 30)});
}

TEST_CASE("timers: the records' own clock never goes back over a start") {
  ProbeDriver host(app_with(", arrival: record"));
  host.tell("ana", "first", 1, {}, {.timestamp_ms = 10'000});
  host.commit();
  host.crash();
  host.recover();
  host.tell("ana", "second", 1, {.timer_ms = 7'000}, {.timestamp_ms = 5'000});
  host.tell("ben", "first", 1, {}, {.timestamp_ms = 6'000});
  CHECK(host.applied("ana") == Strings{"first", "second", rang(7'000, 10'000)});
  host.advance(std::chrono::hours(1));  // not the clock that counts here
  host.tell("ana", "third", 1, {.timer_ms = 10'001}, {.timestamp_ms = 1});
  host.tell("ben", "second", 1, {}, {.timestamp_ms = 10'000});
  CHECK(host.count("fired") == 1);
}

TEST_CASE("timers: without records a commit has timers alone") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1, {.timer_ms = start_ms + 10, .again_ms = 10});
  host.commit();
  for (int i = 0; i < 3; ++i) {
    host.advance(milliseconds(10));
    host.commit();
    host.crash();
    host.recover();
  }
  CHECK(host.sums() == Numbers{1, 1001, 2001, 3001});
  CHECK(host.count("fired") == 3);
}

}  // namespace weir::test
