// What a task knows of the keys that wait, over the store, without any resolver.
#include <doctest/doctest.h>

#include "support/temp_dir.hpp"
#include "task/parked_orders.hpp"
#include "task/parking.hpp"

namespace weir::host {

using test::TempDir;

namespace {

template <typename T>
T good(Result<T> result) {
  if (!result) FAIL(result.error().message);
  return *std::move(result);
}

struct Waiting {
  explicit Waiting(const std::filesystem::path& directory, Parking::Now now = {1'000'000, 500})
      : store(good(TaskStore::open({.directory = directory,
                                    .app = "shop",
                                    .task = "visits-0",
                                    .map_bytes = 1 << 24,
                                    .sync = false,
                                    .at_step = {}}))),
        parking(*store, {}) {
    const Parking::Resolver resolvers[] = {{"first", 60'000}, {"second", 60'000}};
    others = good(parking.open(resolvers, now));
  }
  Parking::Key& park(std::string_view key, std::string_view value) {
    Parking::Key& one = parking.add(0, key, 1);
    append(one, value);
    return one;
  }
  void append(Parking::Key& key, std::string_view value) {
    v1::ParkedRecord record;
    record.set_value(std::string(value));
    parking.append(key, record);
  }
  void commit() {
    v1::Head head;
    head.mutable_commit()->set_lineage(store->lineage());
    head.mutable_commit()->set_sequence(store->head() ? store->head()->commit().sequence() + 1 : 1);
    const auto changes = parking.changes();
    const auto done = store->commit({.head = head, .states = {}, .outbox = {}, .parked = changes});
    if (!done) FAIL(done.error().message);
    parking.committed();
  }
  Parking::Key* find(std::string_view key, std::size_t resolver = 0) {
    return parking.find(resolver, key, LiveStates::hash(key));
  }
  std::vector<std::string> values(const Parking::Key& key) {
    std::vector<std::string> out;
    for (const auto& record : good(parking.front(key, {}))) out.push_back(record.value());
    return out;
  }

  std::unique_ptr<TaskStore> store;
  Parking parking;
  Parking::Count others;
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("waiting keys: without a due time a key waits until an operator says so") {
  const TempDir dir;
  {
    Waiting task(dir.path());
    task.parking.wait(task.park("ana", "poison"), {.for_ms = {}, .reason = "crashed", .offset = 7},
                      {1'000'000, 500});
    task.parking.wait(task.park("ben", "b0"), {.for_ms = 100}, {1'000'000, 500});
    CHECK(task.parking.without_due_time() == 1);
    CHECK(task.parking.due(599) == nullptr);
    CHECK(task.parking.due(600) == task.find("ben"));
    task.parking.remove_first(*task.find("ben"), 4);
    CHECK(task.parking.next_due_ms() == Parking::never_ms);
    task.commit();
  }
  {
    Waiting task(dir.path());
    REQUIRE(task.find("ana") != nullptr);
    CHECK(task.find("ana", 1) == nullptr);
    CHECK(task.find("ana")->row.reason() == "crashed");
    CHECK(task.find("ana")->row.offset() == 7);
    CHECK(task.parking.due(1'000'000'000) == nullptr);
    // What `weir parked retry` writes.
    StoredParkedKey stored = good(task.store->parked_keys()).at(0);
    stored.key.set_due_ms(0);
    const ParkedChange change{stored.number, &stored.key, stored.key.next(), {}};
    REQUIRE(task.store->change_parked({&change, 1}));
  }
  Waiting task(dir.path());
  CHECK(task.parking.due(500) == task.find("ana"));
  CHECK(task.parking.without_due_time() == 0);
}

TEST_CASE("waiting keys: no clock that jumps makes a key wait longer than it may") {
  const TempDir dir;
  {
    Waiting task(dir.path());
    task.parking.wait(task.park("ana", "a0"), {.for_ms = 50'000}, {1'000'000, 500});
    task.commit();
  }
  CHECK(Waiting(dir.path(), {1'040'000, 0}).parking.next_due_ms() == 10'000);
  CHECK(Waiting(dir.path(), {9'000'000, 7}).parking.next_due_ms() == 7);
  CHECK(Waiting(dir.path(), {1'000, 0}).parking.next_due_ms() == 60'000);
}

TEST_CASE("waiting keys: the front comes from the store and then from the open commit") {
  const TempDir dir;
  Waiting task(dir.path());
  Parking::Key& key = task.park("ana", "a0");
  task.append(key, "a1");
  CHECK(task.values(key) == Strings{"a0", "a1"});
  task.commit();
  CHECK(task.parking.open_bytes() == 0);
  task.append(key, "a2");
  CHECK(task.parking.open_bytes() > 0);
  CHECK(task.values(key) == Strings{"a0", "a1"});
  for (int i = 0; i < 2; ++i) CHECK_FALSE(task.parking.remove_first(key, 4));
  CHECK(task.values(key) == Strings{"a2"});
  task.append(key, "a3");
  CHECK_FALSE(task.parking.take_back(key));
  task.commit();
  CHECK(task.values(*task.find("ana")) == Strings{"a2"});
  CHECK(task.parking.count(0).records == 1);
  CHECK(task.parking.remove_first(*task.find("ana"), 4));
  CHECK(task.find("ana") == nullptr);
  CHECK(task.parking.bytes() == 0);
  task.park("ana", "anew");
  task.commit();
  CHECK(good(task.store->parked_keys()).size() == 1);
  CHECK(good(task.store->contents()).parked == 1);
}

TEST_CASE("waiting keys: what never came to a commit leaves nothing in the store") {
  const TempDir dir;
  Waiting task(dir.path());
  CHECK(task.parking.take_back(task.park("ana", "a0")));
  CHECK(task.parking.changes().empty());
  CHECK(task.parking.key_count() == 0);
}

TEST_CASE("waiting keys: an order is carried out for what the operator has seen or not at all") {
  const TempDir dir;
  using Outcomes = std::vector<ParkedOutcome>;
  using enum ParkedOutcome;
  const auto order = [](const Parking::Key& key, std::uint64_t drop) {
    return ParkedOrder{key.number, key.row.since_ms(), key.row.first(), drop};
  };
  {
    Waiting task(dir.path());
    for (const char* const name : {"ana", "ben", "eva"}) {
      Parking::Key& key = task.park(name, "0");
      for (const char* const value : {"11", "222"}) task.append(key, value);
      task.parking.wait(key, {.for_ms = {}, .attempts = 3}, {1'000'000, 500});
    }
    task.commit();
    const Parking::Key& ana = *task.find("ana");
    const ParkedOrder other{.number = 77, .since_ms = 1, .first = 0, .drop = 0};
    ParkedOrder again = order(ana, 0);
    ++again.since_ms;
    ParkedOrder behind = order(ana, 1);
    ++behind.first;
    const ParkedOrder orders[] = {other, again, behind, order(ana, 4)};
    CHECK(good(carry_out(*task.store, orders)) == Outcomes{gone, gone, moved, moved});
    CHECK(good(task.store->parked_keys()).at(0).key.attempts() == 3);

    const ParkedOrder real[] = {order(ana, 2), order(*task.find("ben"), 3), behind,
                                order(*task.find("eva"), 0), order(*task.find("eva"), 1)};
    CHECK(good(carry_out(*task.store, real)) == Outcomes{done, done, gone, done, gone});
  }
  Waiting task(dir.path());
  CHECK(task.find("ben") == nullptr);
  CHECK(task.values(*task.find("ana")) == Strings{"222"});
  CHECK(task.find("ana")->row.bytes() == 5);  // with the field's number and length
  CHECK(task.parking.bytes() == task.find("ana")->row.bytes() + task.find("eva")->row.bytes());
  CHECK(task.values(*task.find("eva")) == Strings{"0", "11", "222"});
  for (const char* const name : {"ana", "eva"}) {
    CHECK(task.find(name)->due_ms == 500);
    CHECK(task.find(name)->row.attempts() == 0);
  }
}

TEST_CASE("waiting keys: those of resolvers that are gone stay where they are") {
  const TempDir dir;
  {
    Waiting task(dir.path());
    task.append(task.park("ana", "a0"), "a1");
    for (const std::string_view value : {"without a key", "and another"}) {
      task.append(task.parking.add(1, std::nullopt, 1), value);
    }
    task.commit();
  }
  const auto store = good(TaskStore::open({.directory = dir.path(),
                                           .app = "shop",
                                           .task = "visits-0",
                                           .map_bytes = 1 << 24,
                                           .sync = false,
                                           .at_step = {}}));
  Parking parking(*store, {});
  const Parking::Resolver only[] = {{"first", 60'000}};
  const Parking::Count others = good(parking.open(only, {}));
  CHECK(others.keys == 2);
  CHECK(others.records == 2);
  CHECK(parking.key_count() == 1);
  CHECK(parking.add(0, "ben", 1).number == 4);
}

}  // namespace weir::host
