// Parked records in the store: part of a commit, in the order of each key, read beside a host.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <lmdb.h>

#include "commit/state_reader.hpp"
#include "store_fixture.hpp"
#include "support/seed.hpp"

namespace weir::host {

using test::bad;
using test::good;
using test::ips_resolver;
using test::options_in;
using test::TempDir;

namespace {

v1::ParkedRecord record(std::string_view value) {
  v1::ParkedRecord out;
  out.set_value(std::string(value));
  return out;
}

v1::ParkedKey waiting(std::string_view key, std::uint64_t first, std::uint64_t next,
                      std::string_view resolver = "count_ips") {
  v1::ParkedKey out;
  out.set_resolver(std::string(resolver));
  out.set_key(std::string(key));
  out.set_first(first);
  out.set_next(next);
  return out;
}

struct Parking : test::OneResolver {
  using OneResolver::OneResolver;

  void park(std::uint64_t number, const v1::ParkedKey& key,
            const std::vector<std::string>& values) {
    std::vector<std::string> rows;
    for (const std::string& value : values) rows.push_back(record(value).SerializeAsString());
    const ParkedChange change{number, &key, key.next() - rows.size(), rows};
    good(store->commit({.head = next_head(), .states = {}, .outbox = {}, .parked = {&change, 1}}));
  }
  void end(std::uint64_t number) {
    const ParkedChange change{.number = number};
    good(store->commit({.head = next_head(), .states = {}, .outbox = {}, .parked = {&change, 1}}));
  }
  std::map<std::string, std::vector<std::string>> all(ParkedLimit page = {}) {
    std::map<std::string, std::vector<std::string>> out;
    for (const StoredParkedKey& key : good(store->parked_keys())) {
      std::vector<std::string>& values = out[key.key.key()];
      std::uint64_t sequence = key.key.first();
      while (sequence < key.key.next()) {
        const auto some = good(store->parked_records(key, sequence, page));
        REQUIRE_FALSE(some.empty());
        for (const v1::ParkedRecord& one : some) values.push_back(one.value());
        sequence += some.size();
      }
    }
    return out;
  }
};

using Strings = std::vector<std::string>;

/// Opens the environment past Weir, for damage.
void with_database(const std::filesystem::path& directory, const char* database,
                   const std::function<void(MDB_txn*, MDB_dbi)>& change) {
  MDB_env* env = nullptr;
  REQUIRE(mdb_env_create(&env) == 0);
  mdb_env_set_maxdbs(env, 16);
  mdb_env_set_mapsize(env, std::size_t{1} << 30);
  REQUIRE(mdb_env_open(env, directory.c_str(), 0, 0600) == 0);
  MDB_txn* txn = nullptr;
  REQUIRE(mdb_txn_begin(env, nullptr, 0, &txn) == 0);
  MDB_dbi dbi = 0;
  REQUIRE(mdb_dbi_open(txn, database, 0, &dbi) == 0);
  change(txn, dbi);
  REQUIRE(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);
}

}  // namespace

TEST_CASE("parked: records stay in order behind their key and go from the front") {
  const TempDir dir;
  {
    Parking one(options_in(dir / "task"));
    one.park(1, waiting("ana", 0, 2), {"a0", "a1"});
    one.park(2, waiting("ben", 0, 1), {"b0"});
    one.park(1, waiting("ana", 1, 3), {"a2"});  // a0 is over, a2 came behind
    CHECK(one.all() == std::map<std::string, Strings>{{"ana", {"a1", "a2"}}, {"ben", {"b0"}}});
  }
  Parking one(options_in(dir / "task"));
  CHECK(one.all({.records = 1}) ==
        std::map<std::string, Strings>{{"ana", {"a1", "a2"}}, {"ben", {"b0"}}});
  CHECK(one.all({.bytes = 1}).at("ana") == Strings{"a1", "a2"});
  CHECK(good(one.store->contents()).parked == 3);
  one.end(1);
  one.end(7);  // came and went between two commits
  CHECK(one.all() == std::map<std::string, Strings>{{"ben", {"b0"}}});
  CHECK(good(one.store->contents()).parked == 1);
}

TEST_CASE("parked: random changes end as a map says") {
  const std::uint64_t seed = test::seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const TempDir dir;
  auto options = options_in(dir / "task");
  options.sync = false;
  struct Key {
    std::uint64_t first = 0;
    Strings values;
  };
  std::map<std::uint64_t, Key> model;
  auto one = std::make_unique<Parking>(options);
  int value = 0;
  for (int commit = 0; commit < 200; ++commit) {
    std::map<std::uint64_t, std::pair<v1::ParkedKey, Strings>> rows;
    std::vector<ParkedChange> changes;
    for (auto i = random() % 4; i > 0; --i) {
      const std::uint64_t number = 1 + random() % 6;
      if (rows.contains(number)) continue;
      auto& [key, appended] = rows[number];
      Key& known = model[number];
      const std::size_t gone = known.values.empty() ? 0 : random() % (known.values.size() + 1);
      known.values.erase(known.values.begin(),
                         known.values.begin() + static_cast<std::ptrdiff_t>(gone));
      known.first += gone;
      const std::uint64_t appended_from = known.first + known.values.size();
      for (auto j = random() % 3; j > 0; --j) {
        known.values.push_back(std::to_string(value++));
        appended.push_back(record(known.values.back()).SerializeAsString());
      }
      key = waiting(std::to_string(number), known.first, known.first + known.values.size());
      const bool ends = known.values.empty();
      changes.push_back({number, ends ? nullptr : &key, appended_from, appended});
      if (ends) model.erase(number);
    }
    good(one->store->commit(
        {.head = one->next_head(), .states = {}, .outbox = {}, .parked = changes}));
    if (random() % 20 == 0) {
      one.reset();
      one = std::make_unique<Parking>(options);
    }
    std::map<std::string, Strings> expected;
    std::size_t count = 0;
    for (const auto& [number, key] : model) {
      expected[std::to_string(number)] = key.values;
      count += key.values.size();
    }
    REQUIRE(one->all({.records = 2}) == expected);
    REQUIRE(good(one->store->contents()).parked == count);
  }
}

TEST_CASE("parked: they follow a resolver that is renamed") {
  const TempDir dir;
  Parking one(options_in(dir / "task"));
  one.park(1, waiting("ana", 0, 1), {"a0"});
  one.park(2, waiting("ana", 0, 1, "other"), {"b0"});
  ResolverSchema renamed = ips_resolver("counts");
  renamed.renamed_from = "count_ips";
  good(one.store->register_resolvers({&renamed, 1}, {}));
  const auto keys = good(one.store->parked_keys());
  CHECK(keys[0].key.resolver() == "counts");
  CHECK(keys[1].key.resolver() == "other");
}

TEST_CASE("parked: they go when the State is dropped") {
  const TempDir dir;
  {
    Parking one(options_in(dir / "task"));
    one.park(1, waiting("ana", 0, 1), {"a0"});
  }
  const auto store = good(TaskStore::open(options_in(dir / "task")));
  v1::Head head;
  *head.mutable_commit() = store->head()->commit();
  head.mutable_commit()->set_sequence(store->head()->commit().sequence() + 1);
  good(store->commit(
      {.head = head, .states = {}, .outbox = {}, .drop = true, .undo = UndoStep::forget}));
  CHECK(good(store->parked_keys()).empty());
  CHECK(good(store->contents()).parked == 0);
}

TEST_CASE("parked: an older host is told by the format as soon as something waits") {
  const TempDir dir;
  const auto format = [&] {
    std::uint32_t found = 0;
    with_database(dir / "task", "meta", [&](MDB_txn* txn, MDB_dbi dbi) {
      std::string name = "environment";
      MDB_val key{name.size(), name.data()};
      MDB_val value{};
      REQUIRE(mdb_get(txn, dbi, &key, &value) == 0);
      v1::Environment row;
      REQUIRE(row.ParseFromArray(static_cast<const char*>(value.mv_data) + 8,
                                 static_cast<int>(value.mv_size - 8)));
      found = row.format();
    });
    return found;
  };
  {
    Parking one(options_in(dir / "task"));
    good(one.put("ana", "A"));
  }
  CHECK(format() == 1);
  {
    Parking one(options_in(dir / "task"));
    one.park(1, waiting("ana", 0, 1), {"a0"});
    one.end(1);
  }
  CHECK(format() == 3);
  Parking again(options_in(dir / "task"), /*timers=*/true);
  CHECK(again.get("ana") == "A");
}

TEST_CASE("parked: damage is an error that names the row") {
  const TempDir dir;
  {
    Parking one(options_in(dir / "task"));
    one.park(1, waiting("ana", 0, 2), {"a0", "a1"});
  }
  SUBCASE("a byte of a record") {
    with_database(dir / "task", "parked_records", [](MDB_txn* txn, MDB_dbi dbi) {
      MDB_cursor* cursor = nullptr;
      REQUIRE(mdb_cursor_open(txn, dbi, &cursor) == 0);
      MDB_val key{};
      MDB_val value{};
      REQUIRE(mdb_cursor_get(cursor, &key, &value, MDB_LAST) == 0);
      std::string bytes(static_cast<const char*>(value.mv_data), value.mv_size);
      bytes.back() = static_cast<char>(bytes.back() ^ 1);
      std::string same_key(static_cast<const char*>(key.mv_data), key.mv_size);
      MDB_val k{same_key.size(), same_key.data()};
      MDB_val v{bytes.size(), bytes.data()};
      REQUIRE(mdb_cursor_put(cursor, &k, &v, MDB_CURRENT) == 0);
      mdb_cursor_close(cursor);
    });
    Parking one(options_in(dir / "task"));
    const auto key = good(one.store->parked_keys()).at(0);
    CHECK(good(one.store->parked_records(key, 0, {.records = 1})).at(0).value() == "a0");
    const Error error = bad(one.store->parked_records(key, 0, {}));
    CHECK(error.code == Errc::corrupt);
    CHECK(error.message.find("record 1 of parked key 1") != std::string::npos);
  }
  SUBCASE("a record that is gone") {
    with_database(dir / "task", "parked_records",
                  [](MDB_txn* txn, MDB_dbi dbi) { REQUIRE(mdb_drop(txn, dbi, 0) == 0); });
    Parking one(options_in(dir / "task"));
    const auto key = good(one.store->parked_keys()).at(0);
    CHECK(bad(one.store->parked_records(key, 0, {})).code == Errc::corrupt);
    const ParkedChange end{.number = 1};
    CHECK(bad(one.store->commit(
                  {.head = one.next_head(), .states = {}, .outbox = {}, .parked = {&end, 1}}))
              .code == Errc::corrupt);
  }
}

TEST_CASE("parked: a reader finds them page by page") {
  const TempDir dir;
  std::ofstream(dir / "app") << "weir-state 1\nshop\n";
  std::filesystem::create_directories(dir / "tasks");
  {
    Parking one(options_in(dir / "tasks" / "visits-0"));
    for (std::uint64_t i = 1; i <= 300; ++i) {
      v1::ParkedKey key = waiting("key-" + std::to_string(i), 0, 2);
      key.set_due_ms(1000);
      key.set_reason("not yet");
      one.park(i, key, {"x", "y"});
    }
  }
  const auto reader = good(StateReader::open(dir.path()));
  const auto found = good(reader->parked());
  REQUIRE(found.size() == 300);
  CHECK(found[299].task == "visits-0");
  CHECK(found[299].key.key() == "key-300");
  CHECK(found[299].key.due_ms() == 1000);
  CHECK(found[299].key.reason() == "not yet");
  const auto records = good(reader->parked_records(found[299], 1, {.records = 1}));
  REQUIRE(records);
  REQUIRE(records->size() == 1);
  CHECK(records->front().value() == "y");
  for (const auto& [number, since_ms, first] :
       std::vector<std::array<std::int64_t, 3>>{{301, 0, 0}, {300, 1, 0}, {300, 0, 1}}) {
    StateReader::Parked other = found[299];
    other.number = static_cast<std::uint64_t>(number);
    other.key.set_since_ms(since_ms);
    other.key.set_first(static_cast<std::uint64_t>(first));
    CHECK_FALSE(good(reader->parked_records(other, 1, {})));
  }
}

}  // namespace weir::host
