// A call that fails leaves not a trace: not in its State, not in its features, not in the rest of
// the commit; whatever came before it in the same commit stays.
#include <doctest/doctest.h>

#include <random>

#include "probe_driver.hpp"

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

// The model: only calls that are to last are applied, in order, per key.
TEST_CASE("no trace: random commands and commits and crashes and evictions end as the model says") {
  const char* given = std::getenv("WEIR_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::atoi(given)) : 20'261'121;
  CAPTURE(seed);
  std::mt19937 random(seed);
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
