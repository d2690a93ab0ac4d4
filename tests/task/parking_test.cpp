// A key whose record cannot be handled yet waits with its later records, in order; everything else
// goes on. Nothing is lost by it, and nothing is applied twice.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

#include "probe_driver.hpp"
#include "support/seed.hpp"

namespace weir::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Strings = std::vector<std::string>;
using Numbers = std::vector<std::int64_t>;
using Told = ProbeDriver::Told;

/// What the probe's `await` waits for: it goes on with every number up to this one.
void open_to(int number) { setenv("WEIR_PROBE_OPEN", std::to_string(number).c_str(), 1); }

std::string app_with(std::string_view source, std::string_view follow = "",
                     std::string_view more = "") {
  return fmt::format(R"(
app: probe
plugins: [probe.so]
sources:
  commands: {{topic: commands{}}}
resolvers:
  follow: {{use: probe/follow, from: commands, to: {{balances: balances}}{}}}
sinks:
  balances: {{topic: balances}}
{})",
                     source, follow, more);
}

constexpr std::string_view two_resolvers = R"(
app: probe
plugins: [probe.so]
sources:
  commands: {topic: commands}
resolvers:
  follow: {use: probe/follow, from: commands, to: {balances: balances}}
  total: {use: probe/total, from: commands}
sinks:
  balances: {topic: balances}
)";

}  // namespace

TEST_CASE("parking: a key that waits keeps its order and the others go on") {
  open_to(0);
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1);
  host.tell("ana", "await", 10);
  host.tell("ben", "one", 1);
  host.tell("ana", "behind", 100);
  host.tell("ana", "reject", 1000);
  CHECK(host.applied("ana") == Strings{"first"});
  CHECK(host.applied("ben") == Strings{"one"});
  CHECK(host.waiting() == 3);
  CHECK(host.count("retries") == 1);
  host.commit();

  host.advance(milliseconds(4'999));
  CHECK(host.count("retries") == 1);
  host.advance(milliseconds(1));
  CHECK(host.count("retries") == 2);
  open_to(10);
  host.tell("ana", "last", 10'000);
  CHECK(host.applied("ana") == Strings{"first"});
  host.advance(seconds(5));
  CHECK(host.applied("ana") == Strings{"first", "await", "behind", "last"});
  CHECK(host.sums() == Numbers{1, 1, 11, 111, 10'111});
  CHECK(host.waiting() == 0);
  CHECK(host.dead_letters().size() == 1);
  host.tell("ana", "after", 0);
  host.commit();
  CHECK(host.applied("ana").back() == "after");
  CHECK(host.count("records") == 7);
}

TEST_CASE("parking: what waits and its attempts survive a crash") {
  open_to(0);
  ProbeDriver host(app_with("", ", retry: {attempts: 3}"));
  host.tell("ana", "await", 1);
  host.tell("ana", "behind", 10);
  host.commit();
  host.crash();
  host.recover();
  CHECK(host.waiting() == 2);
  host.advance(seconds(5));
  CHECK(host.count("retries") == 2);
  host.commit();
  host.tell("ana", "later", 100);
  host.crash();
  CHECK_FALSE(host.has_state("ana"));
  host.recover();
  CHECK(host.waiting() == 3);
  host.advance(seconds(5));
  REQUIRE(host.dead_letters().size() == 1);
  CHECK(host.dead_letters()[0].reason.starts_with("gave up after 3 tries"));
  CHECK(host.dead_letters()[0].headers.at("weir.offset") == "0");
  CHECK(host.applied("ana") == Strings{"behind", "later"});
  CHECK(host.waiting() == 0);
  host.commit();
  host.crash();
  host.recover();
  host.advance(seconds(60));
  CHECK(host.sums() == Numbers{10, 110});
}

TEST_CASE("parking: a crash between a try that succeeded and its commit tries again") {
  open_to(0);
  ProbeDriver host(one_resolver);
  host.tell("ana", "await", 1);
  host.tell("ana", "behind", 10);
  host.commit();
  open_to(1);
  host.advance(seconds(5));
  CHECK(host.waiting() == 0);
  host.crash();
  CHECK_FALSE(host.has_state("ana"));
  host.recover();
  CHECK(host.applied("ana") == Strings{"await", "behind"});  // it was due
  host.commit();
  CHECK(host.sums() == Numbers{1, 11});
}

TEST_CASE("parking: a failure in the same commit rebuilds the State with what has waited") {
  open_to(0);
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1);
  host.tell("ana", "await", 10);
  host.tell("ana", "throw", 100);
  host.tell("ana", "second", 1'000);
  open_to(10);
  host.advance(seconds(5));
  host.tell("ana", "throw", 1);
  host.tell("ana", "third", 10'000);
  host.commit();
  CHECK(host.applied("ana") == Strings{"first", "await", "second", "third"});
  CHECK(host.sums() == Numbers{1, 11, 1'011, 11'011});
}

TEST_CASE("parking: other resolvers of the record are not affected") {
  open_to(0);
  ProbeDriver host(two_resolvers);
  host.tell("ana", "total await", 5);
  host.tell("ana", "next", 1);
  host.tell("ben", "await", 7);
  CHECK(host.applied("ana") == Strings{"total await", "next"});
  CHECK_FALSE(host.has_state("ana", "total"));
  CHECK(host.state<probe::Ledger>("ben", "total").sum() == 7);
  CHECK(host.waiting() == 3);
  host.commit();
  open_to(7);
  host.advance(seconds(5));
  host.commit();
  CHECK(host.applied("ana") == Strings{"total await", "next"});
  CHECK(host.state<probe::Ledger>("ana", "total").sum() == 6);
  CHECK(host.state<probe::Ledger>("ben", "total").sum() == 7);
  CHECK(host.applied("ben") == Strings{"await"});
  CHECK(host.sums() == Numbers{5, 6, 7});
}

TEST_CASE("parking: a record that halts the task is taken back out of the queue it went into") {
  open_to(0);
  ProbeDriver host(two_resolvers);
  host.tell("ana", "await", 1);
  host.commit();
  host.tell("ana", "total fatal", 10);  // `follow` has put it behind; `total` stops at it
  REQUIRE(host.halted().has_value());
  CHECK(host.waiting() == 1);
  host.crash();
  host.recover();
  CHECK(host.halted().has_value());
  CHECK(host.waiting() == 1);
  CHECK(host.state<probe::Ledger>("ana", "total").sum() == 1);
}

TEST_CASE("parking: the key of a record that halts the task does not wait for it") {
  open_to(0);
  ProbeDriver host(R"(
app: probe
plugins: [probe.so]
sources:
  commands: {topic: commands}
resolvers:
  follow: {use: probe/total, from: commands}
  gone: {use: probe/follow, from: commands, to: {balances: balances}}
sinks:
  balances: {topic: balances}
)");
  host.tell("ana", "first", 1, {.timer_ms = start_ms + 10});
  host.tell("ana", "fatal", 1);
  REQUIRE(host.halted().has_value());
  CHECK(host.waiting() == 0);
  CHECK(host.state<probe::Ledger>("ana", "follow").sum() == 1);
}

TEST_CASE("parking: a record that has waited keeps its times and is never late") {
  open_to(0);
  ProbeDriver host(app_with(", late_arrival_deadline: 1s"));
  const auto tell = [&](std::string_view action, std::int64_t at_ms) {
    host.pipe("commands",
              fmt::format(R"({{"key": "ana", "action": "{}", "amount": "1", "atMs": "{}", )"
                          R"("timerMs": "{}"}})",
                          action, at_ms, action == "await" ? 1 : 0));
  };
  tell("await", start_ms - 500);
  tell("behind", start_ms - 600);
  tell("late", start_ms - 2'000);
  CHECK(host.count("late") == 1);  // it was late when it came
  CHECK(host.waiting() == 2);
  open_to(1);
  host.advance(seconds(5));
  host.commit();
  // The timer that it set is long over: it fires before the record behind it, at that one's time.
  CHECK(host.applied("ana") == Strings{"await", rang(1, start_ms), "behind"});
  REQUIRE(host.emitted().size() == 3);
  CHECK(host.emitted()[0].timestamp_ms == start_ms - 500);
  CHECK(host.emitted()[2].timestamp_ms == start_ms - 600);
  CHECK(host.count("late") == 1);
}

TEST_CASE("parking: the timer of a key that waits keeps its place between the key's records") {
  for (const bool commits : {false, true}) {
    CAPTURE(commits);
    open_to(0);
    ProbeDriver host(one_resolver);
    host.tell("ana", "first", 1, {.timer_ms = start_ms + 10, .again_ms = 2'000});
    host.tell("ben", "first", 1, {.timer_ms = start_ms + 10});
    host.tell("ana", "await", 1);
    if (commits) host.commit();
    host.advance(milliseconds(3'000));
    CHECK(host.count("fired") == 1);  // ben's
    host.tell("ana", "behind", 1);
    if (commits) {
      host.commit();
      host.crash();
      host.recover();
    }
    host.advance(milliseconds(1'500));
    host.tell("ana", "cancel", 1);
    open_to(1);
    host.advance(milliseconds(10'000));
    host.commit();
    CHECK(host.applied("ana") == Strings{"first", "await", rang(start_ms + 10, start_ms + 3'000),
                                         "behind", rang(start_ms + 3'001, start_ms + 4'500),
                                         "cancel"});
    CHECK(host.count("fired") == 3);
  }
}

TEST_CASE("parking: a timer that is due when the wait ends fires then") {
  open_to(0);
  SUBCASE("with the host's clock") {
    ProbeDriver host(one_resolver);
    host.tell("ana", "first", 1, {.timer_ms = start_ms + 10});
    host.tell("ana", "await", 1);
    host.commit();
    host.advance(milliseconds(100));
    CHECK(host.count("fired") == 0);
    open_to(1);
    host.advance(seconds(5));
    CHECK(host.applied("ana") == Strings{"first", "await", rang(start_ms + 10, start_ms + 5'000)});
  }
  SUBCASE("with the records' clock and no record behind it") {
    ProbeDriver host(app_with(", arrival: record"));
    host.tell("ana", "first", 1, {.timer_ms = 20}, {.timestamp_ms = 10});
    host.tell("ana", "await", 1, {}, {.timestamp_ms = 15});
    host.tell("ben", "first", 1, {}, {.timestamp_ms = 30});
    CHECK(host.count("fired") == 0);
    open_to(1);
    host.advance(seconds(5));
    CHECK(host.applied("ana") == Strings{"first", "await", rang(20, 30)});
    host.tell("ana", "late timer", 1, {.timer_ms = 1}, {.timestamp_ms = 30});
    CHECK(host.count("fired") == 1);
  }
}

TEST_CASE("parking: many records behind one key come in order over turns and commits") {
  open_to(0);
  ProbeDriver host(app_with("", "", "state: {commit: {bytes: 64KiB}}\n"));
  host.tell("ana", "await", 1);
  Strings expected{"await"};
  for (int i = 0; i < 5'000; ++i) {
    const std::string action = "r" + std::to_string(i);
    host.tell("ana", action, 1);
    expected.push_back(action);
    if (i == 2'500) host.commit();
  }
  host.tell("ben", "free", 1);
  CHECK(host.applied("ben") == Strings{"free"});
  CHECK(host.waiting() == 5'001);
  host.crash();
  host.recover();
  CHECK(host.waiting() == 5'001);
  open_to(1);
  host.advance(seconds(5));
  CHECK(host.waiting() == 0);
  CHECK(host.applied("ana") == expected);
  host.crash();  // most of it was committed on the way
  host.recover();
  host.advance(seconds(5));
  host.commit();
  CHECK(host.applied("ana") == expected);
  CHECK(host.sums().size() == 5'002);
}

TEST_CASE("parking: a stateless resolver's records wait by the record's key or alone") {
  open_to(0);
  ProbeDriver host(R"(
app: probe
plugins: [probe.so]
sources: {raw: {topic: raw, format: bytes}}
resolvers: {echo: {use: probe/echo, from: raw, to: out}}
sinks: {out: {topic: out}}
)");
  const auto seen = [&] {
    Strings keys;
    for (const auto& one : host.features<probe::Balance>()) keys.push_back(one.key());
    return keys;
  };
  const std::string long_key(2'000, 'k');
  host.pipe("raw", "await");
  host.pipe("raw", "without a key");
  host.pipe("raw", "await", {.key = "a"});
  host.pipe("raw", "await", {.key = long_key});
  host.pipe("raw", "of a", {.key = "a", .headers = {{"trace", "7"}}});
  host.pipe("raw", "of long", {.key = long_key});
  host.pipe_null("raw", {.key = "a"});
  host.pipe("raw", "of b", {.key = "b"});
  host.pipe("raw", "await");
  CHECK(seen() == Strings{"without a key", "of b"});
  CHECK(host.waiting() == 7);
  host.commit();
  host.crash();
  host.recover();
  open_to(1);
  host.advance(seconds(5));
  host.commit();
  Strings now = seen();
  CHECK(host.waiting() == 0);
  REQUIRE(now.size() == 9);
  const auto at = [&](const std::string& key) {
    return std::find(now.begin(), now.end(), key) - now.begin();
  };
  CHECK(at("of a") < at("null"));
  CHECK(host.emitted()[static_cast<std::size_t>(at("of long"))].key == long_key);
}

TEST_CASE("parking: what has no room goes where the policy says and the key keeps its order") {
  open_to(0);
  SUBCASE("records of a key") {
    ProbeDriver host(app_with("", "", "parking: {records_per_key: 2}\n"));
    host.tell("ana", "await", 1);
    host.tell("ana", "second", 1);
    host.tell("ana", "third", 1);
    host.tell("ben", "await", 1);
    REQUIRE(host.dead_letters().size() == 1);
    CHECK(host.dead_letters()[0].error == "rejected");
    CHECK(host.dead_letters()[0].reason ==
          "its key waits, and it cannot wait behind: 2 records of its key wait already "
          "(parking.records_per_key)");
    open_to(1);
    host.advance(seconds(5));
    host.tell("ana", "fourth", 1);
    CHECK(host.applied("ana") == Strings{"await", "second", "fourth"});
  }
  SUBCASE("keys") {
    ProbeDriver host(app_with("", "", "parking: {keys: 1}\n"));
    host.tell("ana", "await", 1);
    host.tell("ben", "await", 1);
    host.tell("ana", "behind", 1);
    REQUIRE(host.dead_letters().size() == 1);
    CHECK(host.dead_letters()[0].reason.ends_with(
        "it cannot wait: 1 key wait already (parking.keys)"));
    CHECK(host.waiting() == 2);
  }
  SUBCASE("bytes of a key") {
    ProbeDriver host(app_with("", "", "parking: {bytes_per_key: 4KiB}\n"));
    host.tell("ana", "await", 1);
    host.tell("ana", std::string(3'000, 'x'), 1);
    host.tell("ana", std::string(3'000, 'y'), 1);
    REQUIRE(host.dead_letters().size() == 1);
    CHECK(host.dead_letters()[0].reason.find("parking.bytes_per_key is 4 KiB") !=
          std::string::npos);
  }
  SUBCASE("bytes of all, and they are counted down again") {
    ProbeDriver host(app_with("", "", "parking: {bytes: 8KiB}\n"));
    for (int round = 1; round <= 5; ++round) {
      for (const std::string key : {"ana", "ben", "eva"}) {
        host.tell(key, "await", round);
        host.tell(key, std::string(2'000, 'x'), 1);
      }
      CHECK(host.dead_letters().empty());
      host.commit();
      open_to(round);
      host.advance(seconds(5));
      CHECK(host.waiting() == 0);
    }
    host.tell("ana", "await", 10);
    for (int i = 0; i < 4; ++i) host.tell("ana", std::string(2'000, 'x'), 1);
    REQUIRE(host.dead_letters().size() == 1);
    CHECK(host.dead_letters()[0].reason.find("parking.bytes is 8 KiB") != std::string::npos);
  }
}

TEST_CASE("parking: fatal at a record that has waited halts and the record stays in front") {
  open_to(0);
  ProbeDriver host(one_resolver);
  host.tell("ana", "await", 1);
  host.tell("ana", "fatal", 1);
  host.tell("ana", "behind", 1);
  host.commit();
  open_to(1);
  host.advance(seconds(5));
  REQUIRE(host.halted().has_value());
  CHECK(host.halted()->find("offset 1") != std::string::npos);
  host.crash();
  CHECK(host.applied("ana") == Strings{"await"});
  host.recover();
  CHECK(host.halted().has_value());
  CHECK(host.waiting() == 2);
}

TEST_CASE("parking: discard in the queue") {
  open_to(0);
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1, {.timer_ms = start_ms + 50});
  host.tell("ana", "await", 1);
  host.tell("ana", "discard", 1);
  host.commit();
  open_to(1);
  host.advance(seconds(5));
  host.commit();
  CHECK_FALSE(host.has_state("ana"));
  CHECK(host.count("fired") == 0);
  host.tell("ana", "again", 5);
  CHECK(host.sums() == Numbers{1, 2, 3, 5});
}

namespace {

/// One key of the probe, written again from its description, with the records' own clock: its
/// records in their order, whatever waits for how long, and its timer between them.
struct KeyModel {
  probe::Ledger ledger;
  bool exists = false;
  std::optional<std::int64_t> timer_ms;
  Numbers sums;
  std::size_t dead = 0;

  void fire_until(std::int64_t clock_ms) {
    if (!timer_ms || *timer_ms > clock_ms) return;
    ledger.add_applied("timer " + std::to_string(*timer_ms));
    ledger.set_sum(ledger.sum() + 1000);
    sums.push_back(ledger.sum());
    timer_ms.reset();
  }

  void tell(const std::string& action, int amount, std::int64_t timer, std::int64_t clock_ms) {
    fire_until(clock_ms);
    if (action == "throw" || action == "reject") ++dead;
    if (action == "throw" || action == "reject" || action == "skip") return;
    exists = true;
    ledger.add_applied(action);
    ledger.set_sum(ledger.sum() + amount);
    sums.push_back(ledger.sum());
    if (timer != 0) timer_ms = timer;
    if (action == "cancel") timer_ms.reset();
    if (action != "discard") return;
    ledger.Clear();
    exists = false;
    timer_ms.reset();
  }
};

/// When a timer fires depends on when its key waits; that it does, and where, does not.
Strings without_firing_times(const Strings& applied) {
  Strings out;
  for (const std::string& one : applied) out.push_back(one.substr(0, one.find(" at ")));
  return out;
}

}  // namespace

TEST_CASE("parking: random waits and commits and crashes and evictions end as the model says") {
  const std::uint64_t seed = seed_or(20'261'121);
  CAPTURE(seed);
  std::mt19937 random(static_cast<unsigned>(seed));
  const auto pick = [&](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  int open = 0;
  open_to(open);
  ProbeDriver host(R"(
app: probe
plugins: [probe.so]
sources:
  commands: {topic: commands, arrival: record}
resolvers:
  follow: {use: probe/follow, from: commands, to: {balances: balances}, retry: {attempts: 1000000}}
  total: {use: probe/total, from: commands, retry: {attempts: 1000000}}
sinks:
  balances: {topic: balances}
state: {live: {count: 3}, commit: {bytes: 16KiB}}
)");
  std::map<std::string, KeyModel> model;
  std::map<std::string, std::int64_t> totals;
  std::int64_t now_ms = 1;
  std::int64_t clock_ms = 0;
  std::uint64_t records = 0;
  std::uint64_t most_waiting = 0;
  const Strings actions{"ok",   "ok",      "ok",     "await",       "await", "throw",      "reject",
                        "skip", "discard", "cancel", "total await", "ok",    "total await"};
  const auto tell = [&](const std::string& key, const std::string& action, int amount,
                        std::int64_t timer_ms) {
    host.tell(key, action, amount, {.timer_ms = timer_ms}, {.timestamp_ms = now_ms});
    clock_ms = std::max(clock_ms, now_ms);
    model[key].tell(action, amount, timer_ms, clock_ms);
    totals[key] += amount;
    ++records;
    most_waiting = std::max(most_waiting, host.waiting());
  };
  for (int step = 0; step < 3'000; ++step) {
    const int what = pick(30);
    if (what == 0) {
      host.commit();
    } else if (what == 1) {
      host.crash();
      host.recover();
    } else if (what == 2) {
      open += pick(6);
      open_to(open);
    } else if (what < 6) {
      host.advance(milliseconds(pick(3'000)));
    } else {
      now_ms += pick(10) - 2;  // not quite in order
      const std::string key = "key-" + std::to_string(pick(6));
      const std::string& action = actions[static_cast<std::size_t>(pick(13))];
      const bool awaits = action.ends_with("await");
      tell(key, action, awaits ? open + pick(8) : pick(100),
           pick(3) == 0 ? now_ms + pick(40) - 5 : 0);
    }
  }
  open_to(1'000'000);
  host.advance(seconds(10));
  CHECK(host.waiting() == 0);
  now_ms += 1'000;
  for (auto& [key, one] : model) one.fire_until(now_ms);
  tell("last", "ok", 1, 0);  // fires what is still set
  host.commit();

  CHECK(host.halted() == std::nullopt);
  CHECK(most_waiting > 20);
  std::map<std::string, Numbers> sums;
  for (const auto& balance : host.features<probe::Balance>()) {
    sums[balance.key()].push_back(balance.sum());
  }
  std::size_t dead = 0;
  for (const auto& [key, one] : model) {
    CAPTURE(key);
    CHECK(sums[key] == one.sums);
    CHECK(host.has_state(key, "follow") == one.exists);
    CHECK(without_firing_times(host.applied(key)) ==
          Strings{one.ledger.applied().begin(), one.ledger.applied().end()});
    CHECK(host.state<probe::Ledger>(key, "total").sum() == totals[key]);
    dead += one.dead;
  }
  CHECK(host.dead_letters().size() == dead);
  CHECK(host.count("records") >= records);
}

}  // namespace weir::test
