#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "store_fixture.hpp"
#include "support/seed.hpp"

namespace weir::host {

using test::bad;
using test::good;
using test::ips_resolver;
using test::OneResolver;
using test::options_in;
using test::TempDir;

namespace {

/// All that a task keeps for three keys of one resolver.
struct Everything {
  std::map<std::string, std::optional<std::string>> states;
  std::map<std::string, std::optional<Timer>> timers;
  std::size_t due = 0;
  std::vector<std::string> parked;
  bool operator==(const Everything&) const = default;
};

const std::vector<std::string> keys = {"ana", "bob", "eve"};

Everything look(OneResolver& one) {
  Everything out;
  for (const std::string& key : keys) {
    out.states[key] = one.get(key);
    out.timers[key] = good(one.store->timer(one.id, key));
  }
  out.due = good(one.store->next_timers(one.id, nullptr, 100)).size();
  for (const StoredParkedKey& waiting : good(one.store->parked_keys())) {
    out.parked.push_back(waiting.key.SerializeAsString());
    for (const v1::ParkedRecord& record :
         good(one.store->parked_records(waiting, waiting.key.first(), {}))) {
      out.parked.push_back(record.SerializeAsString());
    }
  }
  return out;
}

/// A commit that changes anything at all of it.
void change(OneResolver& one, std::mt19937_64& random, std::map<int, v1::ParkedKey>& parked) {
  const auto draw = [&](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  std::vector<StateChange> states;
  std::vector<StoredTimerChange> timers;
  const std::string value = "value " + std::to_string(random());
  for (const std::string& key : keys) {
    if (draw(2) == 0) {
      states.push_back({one.id, key, draw(3) == 0 ? std::optional<std::string_view>() : value});
    }
    if (draw(2) == 0) {
      timers.push_back(
          {one.id, key, draw(3) == 0 ? std::optional<Timer>() : Timer{draw(1'000), 0}});
    }
  }
  v1::ParkedRecord record;
  record.set_value(value);
  const std::vector<std::string> appended(static_cast<std::size_t>(draw(3)),
                                          record.SerializeAsString());
  const int number = 1 + draw(2);
  v1::ParkedKey& key = parked[number];
  key.set_resolver("count_ips");
  key.set_key(keys[static_cast<std::size_t>(number)]);
  const std::uint64_t from = key.next();
  key.set_next(from + appended.size());
  if (key.first() < from && draw(2) == 0) key.set_first(key.first() + 1);
  const bool empty = key.first() == key.next();
  const ParkedChange waiting{static_cast<std::uint64_t>(number), empty ? nullptr : &key, from,
                             appended};
  good(one.store->commit({.head = one.next_head(),
                          .states = states,
                          .outbox = {},
                          .timers = timers,
                          .parked = {&waiting, 1}}));
  // What changes beside the commits is kept as well.
  const std::string other = value + " anew";
  if (draw(3) == 0) {
    const StateChange anew{one.id, keys[static_cast<std::size_t>(draw(3))], other};
    good(one.store->change_states({&anew, 1}));
  }
  if (!empty && draw(3) == 0) {
    key.set_attempts(static_cast<std::uint32_t>(draw(9)));
    if (key.first() + 1 < key.next()) key.set_first(key.first() + 1);
    const ParkedChange told{static_cast<std::uint64_t>(number), &key, key.next(), {}};
    good(one.store->change_parked({&told, 1}));
  }
}

void commit(OneResolver& one, UndoStep undo) {
  good(one.store->commit({.head = one.next_head(), .states = {}, .outbox = {}, .undo = undo}));
}

ResolverSchema version(std::uint32_t state_version) {
  ResolverSchema schema = ips_resolver();
  schema.timers = true;
  schema.state_version = state_version;
  return schema;
}

}  // namespace

TEST_CASE("undo: whatever was committed since is taken back over restarts too") {
  const std::uint64_t seed = test::seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 30; ++round) {
    const TempDir dir;
    std::map<int, v1::ParkedKey> parked;
    auto one = std::make_unique<OneResolver>(options_in(dir / "task"), /*timers=*/true);
    const auto some = [&] {
      for (int i = 0; i < 5; ++i) change(*one, random, parked);
    };
    some();
    commit(*one, UndoStep::begin);
    const Everything before = look(*one);
    const std::uint64_t begun = one->store->head()->commit().sequence();
    some();
    if (round % 2 == 0) {
      one = nullptr;
      one = std::make_unique<OneResolver>(options_in(dir / "task"), /*timers=*/true);
    }
    some();
    REQUIRE(one->store->undo_head());
    CHECK(one->store->undo_head()->commit().sequence() == begun);

    commit(*one, UndoStep::roll_back);

    CHECK(look(*one) == before);
    CHECK_FALSE(one->store->undo_head());
    CHECK(one->store->head()->commit().sequence() == begun + 11);
  }
}

TEST_CASE("undo: code goes back to before a State version that it cannot read") {
  const TempDir dir;
  OneResolver one(options_in(dir / "task"), /*timers=*/true);
  good(one.put("ana", "of version 1"));
  commit(one, UndoStep::begin);
  const ResolverSchema newer = version(2);
  good(one.store->register_resolvers({&newer, 1}, {}));
  good(one.put("ana", "of version 2"));
  good(one.put("bob", "of version 2"));
  const ResolverSchema older = version(1);
  CHECK(bad(one.store->register_resolvers({&older, 1}, {})).code == Errc::refused);

  commit(one, UndoStep::roll_back);

  good(one.store->register_resolvers({&older, 1}, {}));
  CHECK(one.get("ana") == "of version 1");
  CHECK(good(one.store->get(one.id, "ana"))->state_version == 1);
  CHECK(one.get("bob") == std::nullopt);
}

TEST_CASE("undo: what is forgotten stays as it is") {
  const TempDir dir;
  OneResolver one(options_in(dir / "task"));
  good(one.put("ana", "1"));
  commit(one, UndoStep::begin);
  good(one.put("ana", "2"));
  commit(one, UndoStep::forget);
  good(one.put("ana", "3"));

  CHECK_FALSE(one.store->undo_head());
  CHECK(one.get("ana") == "3");
  commit(one, UndoStep::begin);
  good(one.put("ana", "4"));
  commit(one, UndoStep::roll_back);
  CHECK(one.get("ana") == "3");
}

TEST_CASE("undo: a reader beside the host sees States and not what is kept of them") {
  const TempDir dir;
  OneResolver one(options_in(dir / "task"));
  good(one.put("ana", "1"));
  commit(one, UndoStep::begin);
  good(one.put("ana", "2"));

  CHECK(good(one.store->contents()).states == 1);
}

TEST_CASE("undo: a commit that drops everything has nothing to take back") {
  const TempDir dir;
  {
    OneResolver one(options_in(dir / "task"));
    good(one.put("ana", "1"));
    commit(one, UndoStep::begin);
    good(one.put("ana", "2"));
  }
  const auto store = good(TaskStore::open(options_in(dir / "task")));
  v1::Head head = *store->head();
  head.mutable_commit()->set_sequence(head.commit().sequence() + 1);
  good(store->commit(
      {.head = head, .states = {}, .outbox = {}, .drop = true, .undo = UndoStep::forget}));

  CHECK_FALSE(store->undo_head());
  CHECK(good(store->contents()).states == 0);
}

}  // namespace weir::host
