// A call that fails leaves not a trace: not in its State, not in its features, not in its timer,
// not in the rest of the commit; whatever came before it in the same commit stays.
#include <doctest/doctest.h>

#include <random>

#include "probe_driver.hpp"
#include "support/seed.hpp"

namespace weir::test {

namespace {
using Strings = std::vector<std::string>;
using Numbers = std::vector<std::int64_t>;
}  // namespace

TEST_CASE("no trace: ok then a throw after changes then ok on one key in one commit") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1);
  host.tell("ana", "throw", 10);
  host.tell("ana", "second", 100);

  CHECK(host.applied("ana") == Strings{"first", "second"});
  CHECK(host.sums() == Numbers{1, 101});
  REQUIRE(host.dead_letters().size() == 1);
  CHECK(host.dead_letters()[0].error == "rejected");
  CHECK(host.dead_letters()[0].reason == "it threw");

  host.commit();
  CHECK(host.applied("ana") == Strings{"first", "second"});
  CHECK(host.sums() == Numbers{1, 101});
}

TEST_CASE("no trace: several keys and a commit after each record") {
  ProbeDriver host(one_resolver);
  for (const std::string key : {"ana", "ben", "eva"}) {
    host.tell(key, "first", 1);
    host.commit();
    host.tell(key, "throw", 10);
    host.commit();
    host.tell(key, "second", 100);
    host.commit();
  }

  for (const std::string key : {"ana", "ben", "eva"}) {
    CHECK(host.applied(key) == Strings{"first", "second"});
  }
  CHECK(host.sums() == Numbers{1, 101, 1, 101, 1, 101});
  CHECK(host.dead_letters().size() == 3);
}

TEST_CASE("no trace: a key whose only calls failed has no State") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "throw", 1);
  host.tell("ana", "reject", 1);
  CHECK_FALSE(host.has_state("ana"));

  host.commit();
  CHECK_FALSE(host.has_state("ana"));
  CHECK(host.sums().empty());
}

TEST_CASE("no trace: skip undoes its changes too and is no dead letter") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1);
  host.tell("ana", "skip", 10);
  host.commit();

  CHECK(host.applied("ana") == Strings{"first"});
  CHECK(host.sums() == Numbers{1});
  CHECK(host.dead_letters().empty());
  CHECK(host.count("skipped") == 1);
}

TEST_CASE("no trace: a crash between the calls and a failure after it") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1);
  host.commit();
  host.tell("ana", "second", 10);
  host.crash();
  CHECK(host.applied("ana") == Strings{"first"});
  CHECK(host.sums() == Numbers{1});
  host.recover();
  host.tell("ana", "throw", 100);

  CHECK(host.applied("ana") == Strings{"first", "second"});
  CHECK(host.sums() == Numbers{1, 11});
}

TEST_CASE("no trace: discard and failures in one commit") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1);
  host.commit();
  host.tell("ana", "discard", 1);
  CHECK_FALSE(host.has_state("ana"));
  host.tell("ana", "throw", 1);
  CHECK_FALSE(host.has_state("ana"));
  host.tell("ana", "again", 5);
  CHECK(host.applied("ana") == Strings{"again"});
  host.tell("ana", "discard", 1);
  host.commit();

  CHECK_FALSE(host.has_state("ana"));
  CHECK(host.sums() == Numbers{1, 2, 5, 6});
}

TEST_CASE("no trace: two resolvers take the same record and one of them fails") {
  ProbeDriver host(R"(
app: probe
plugins: [probe.so]
sources:
  commands: {topic: commands}
resolvers:
  follow: {use: probe/follow, from: commands, to: {balances: balances}}
  total: {use: probe/total, from: commands}
sinks:
  balances: {topic: balances}
)");
  host.tell("ana", "first", 1);
  host.tell("ana", "throw", 10);
  host.commit();

  CHECK(host.applied("ana") == Strings{"first"});
  CHECK(host.state<probe::Ledger>("ana", "total").sum() == 11);
}

TEST_CASE("no trace: a timer that a failed call set or cleared is as it was") {
  for (const bool commits : {false, true}) {
    CAPTURE(commits);
    ProbeDriver host(one_resolver);
    const Strings keys{"ana", "ben", "eva"};
    const auto tell_all = [&](std::string_view action, int amount, std::int64_t after_ms) {
      for (const std::string& key : keys) {
        host.tell(key, action, amount, {.timer_ms = after_ms == 0 ? 0 : start_ms + after_ms});
        if (commits) host.commit();
      }
    };
    tell_all("first", 1, 100);
    for (const char* failing : {"throw", "reject", "skip"}) tell_all(failing, 10, 50);
    tell_all("second", 100, 0);
    host.advance(std::chrono::milliseconds(99));
    CHECK(host.count("fired") == 0);
    host.advance(std::chrono::milliseconds(1'000));
    CHECK(host.count("fired") == 3);
    host.commit();

    for (const std::string& key : keys) {
      CHECK(host.applied(key) == Strings{"first", "second", rang(start_ms + 100, start_ms + 100)});
    }
    CHECK(host.sums() == Numbers{1, 1, 1, 101, 101, 101, 1101, 1101, 1101});
    CHECK(host.dead_letters().size() == 6);
  }
}

TEST_CASE("no trace: a failed call sets no timer where there was none") {
  ProbeDriver host(one_resolver);
  host.tell("ana", "first", 1);
  host.tell("ana", "throw", 1, {.timer_ms = start_ms + 10});
  host.tell("ben", "throw", 1, {.timer_ms = 1});
  host.commit();
  host.advance(std::chrono::hours(1));

  CHECK(host.count("fired") == 0);
  CHECK(host.applied("ana") == Strings{"first"});
  CHECK_FALSE(host.has_state("ben"));
}

TEST_CASE("no trace: a State is rebuilt with the timers that fired in the commit") {
  for (const bool commits : {false, true}) {
    CAPTURE(commits);
    ProbeDriver host(one_resolver);
    for (const std::string key : {"ana", "ben"}) {
      host.tell(key, "first", 1, {.timer_ms = start_ms + 10, .again_ms = 10});
    }
    if (commits) host.commit();
    host.advance(std::chrono::milliseconds(25));
    if (commits) host.commit();
    for (const std::string key : {"ana", "ben"}) {
      host.tell(key, "throw", 7, {.timer_ms = start_ms + 26});
      host.tell(key, "second", 100);
    }
    host.advance(std::chrono::milliseconds(5));
    host.commit();

    for (const std::string key : {"ana", "ben"}) {
      CHECK(host.applied(key) == Strings{"first", rang(start_ms + 10, start_ms + 10),
                                         rang(start_ms + 20, start_ms + 20), "second",
                                         rang(start_ms + 30, start_ms + 30)});
    }
    CHECK(host.sums() == Numbers{1, 1, 1001, 1001, 2001, 2001, 2101, 2101, 3101, 3101});
    CHECK(host.dead_letters().size() == 2);
  }
}

TEST_CASE("no trace: a timer whose handler fails leaves nothing but its end") {
  for (const char* failing : {"throw", "reject", "skip"}) {
    CAPTURE(failing);
    ProbeDriver host(one_resolver);
    host.tell("ana", "first", 1, {.timer_ms = start_ms + 10, .on_timer = failing, .again_ms = 5});
    host.tell("ben", "first", 1, {.timer_ms = start_ms + 10});
    host.tell("ana", "second", 10);
    host.advance(std::chrono::milliseconds(1'000));
    host.tell("ana", "third", 100);
    host.commit();

    CHECK(host.applied("ana") == Strings{"first", "second", "third"});
    CHECK(host.applied("ben").size() == 2);
    CHECK(host.sums() == Numbers{1, 1, 11, 1001, 111});
  }
}

namespace {

/// The probe, its timers and the records' own clock, written again from their descriptions.
struct Model {
  struct Key {
    probe::Ledger ledger;
    std::optional<std::int64_t> timer_ms;
  };
  std::map<std::string, Key> keys;
  Numbers sums;
  std::size_t dead = 0;
  std::int64_t clock_ms = 0;

  void fire_due() {
    while (true) {
      std::optional<std::pair<std::int64_t, std::string>> due;
      for (const auto& [key, one] : keys) {
        if (!one.timer_ms || *one.timer_ms > clock_ms) continue;
        if (!due || std::pair(*one.timer_ms, key) < *due) due.emplace(*one.timer_ms, key);
      }
      if (!due) return;
      Key& one = keys[due->second];
      one.timer_ms.reset();
      const std::string how = one.ledger.on_timer();
      if (how == "throw") ++dead;
      if (how == "throw" || how == "skip") continue;
      one.ledger.add_applied(rang(due->first, clock_ms));
      one.ledger.set_sum(one.ledger.sum() + 1000);
      sums.push_back(one.ledger.sum());
      if (how == "discard") {
        keys.erase(due->second);
      } else if (one.ledger.again_ms() != 0) {
        one.timer_ms = std::max(due->first + one.ledger.again_ms(), clock_ms + 1);
      }
    }
  }

  void tell(const std::string& key, const std::string& action, int amount,
            const ProbeDriver::Told& told, std::int64_t timestamp_ms) {
    clock_ms = std::max(clock_ms, timestamp_ms);
    fire_due();
    if (action == "throw" || action == "reject") ++dead;
    if (action == "throw" || action == "reject" || action == "skip") return;
    Key& one = keys[key];
    one.ledger.add_applied(action);
    one.ledger.set_sum(one.ledger.sum() + amount);
    sums.push_back(one.ledger.sum());
    if (told.timer_ms != 0) one.timer_ms = told.timer_ms;
    if (action == "cancel") one.timer_ms.reset();
    if (!told.on_timer.empty()) one.ledger.set_on_timer(told.on_timer);
    if (told.again_ms != 0) one.ledger.set_again_ms(told.again_ms);
    if (action == "discard") keys.erase(key);
  }
};

}  // namespace

TEST_CASE("no trace: random timers and commits and crashes end as the model says") {
  const std::uint64_t seed = seed_or(20'261'121);
  CAPTURE(seed);
  std::mt19937 random(static_cast<unsigned>(seed));
  const auto pick = [&](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  // Timers follow the records' clock, so that a replay gives the same result; four keys, so that
  // States come and go.
  ProbeDriver host(R"(
app: probe
plugins: [probe.so]
sources:
  commands: {topic: commands, arrival: record}
resolvers:
  follow: {use: probe/follow, from: commands, to: {balances: balances}}
sinks:
  balances: {topic: balances}
state: {live: {count: 3}}
)");
  Model model;
  std::int64_t now_ms = 1;
  const Strings actions{"ok", "ok", "ok", "ok", "throw", "reject", "skip", "discard", "cancel"};
  const Strings timers{"", "", "", "ok", "throw", "skip", "discard"};
  for (int step = 0; step < 1'500; ++step) {
    const int what = pick(20);
    if (what == 0) {
      host.commit();
    } else if (what == 1) {
      host.crash();
      host.recover();
    } else {
      now_ms += pick(10) - 2;  // not quite in order
      const std::string key = "key-" + std::to_string(pick(4));
      const std::string& action = actions[static_cast<std::size_t>(pick(9))];
      const int amount = pick(100);
      ProbeDriver::Told told;
      if (pick(3) != 0) told.timer_ms = now_ms + pick(30) - 5;
      if (told.timer_ms == 0) told.timer_ms = 1;
      told.on_timer = timers[static_cast<std::size_t>(pick(7))];
      if (pick(4) == 0) told.again_ms = pick(20) - 3;
      host.tell(key, action, amount, told, {.timestamp_ms = now_ms});
      model.tell(key, action, amount, told, now_ms);
    }
  }
  host.commit();

  CHECK(host.sums() == model.sums);
  CHECK(host.dead_letters().size() == model.dead);
  for (int i = 0; i < 4; ++i) {
    const std::string key = "key-" + std::to_string(i);
    CHECK(host.has_state(key) == model.keys.contains(key));
    CHECK(host.state_bytes(key) == model.keys[key].ledger.SerializeAsString());
  }
  CHECK(std::count_if(model.sums.begin(), model.sums.end(), [](auto sum) { return sum >= 1000; }) >
        100);
}

// The model: only calls that are to last are applied, in order, per key.
TEST_CASE("no trace: random commands and commits and crashes and evictions end as the model says") {
  const std::uint64_t seed = seed_or(20'261'121);
  CAPTURE(seed);
  std::mt19937 random(static_cast<unsigned>(seed));
  const auto pick = [&](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  std::string yaml(one_resolver);
  yaml += "state: {live: {count: 3}}\n";  // four keys: States come and go
  ProbeDriver host(yaml);

  std::map<std::string, probe::Ledger> model;
  Numbers sums;
  const Strings actions{"ok", "ok", "ok", "ok", "throw", "reject", "skip", "discard"};
  for (int step = 0; step < 600; ++step) {
    const int what = pick(20);
    if (what == 0) {
      host.commit();
    } else if (what == 1) {
      host.crash();
      host.recover();
    } else {
      const std::string key = std::string("key-") + std::to_string(pick(4));
      const std::string& action = actions[static_cast<std::size_t>(pick(8))];
      const int amount = pick(100);
      host.tell(key, action, amount);
      if (action == "ok" || action == "discard") {
        probe::Ledger& ledger = model[key];
        ledger.add_applied(action);
        ledger.set_sum(ledger.sum() + amount);
        sums.push_back(ledger.sum());
        if (action == "discard") model.erase(key);
      }
    }
  }
  host.commit();

  for (int i = 0; i < 4; ++i) {
    const std::string key = std::string("key-") + std::to_string(i);
    CHECK(host.has_state(key) == model.contains(key));
    CHECK(host.state_bytes(key) == model[key].SerializeAsString());
  }
  CHECK(host.sums() == sums);
}

}  // namespace weir::test
