// Timers in the store: their two databases stay one, in the order in which they come due.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <lmdb.h>

#include "base/limits.hpp"
#include "commit/state_reader.hpp"
#include "store_fixture.hpp"

namespace weir::host {

using test::bad;
using test::good;
using test::ips_resolver;
using test::options_in;
using test::TempDir;

namespace {

ResolverSchema with_timers(const std::string& name) {
  ResolverSchema schema = ips_resolver(name);
  schema.timers = true;
  return schema;
}

struct Timed : test::OneResolver {
  ResolverId other = 0;

  explicit Timed(const TaskStore::Options& options) : OneResolver(options, /*timers=*/true) {
    const ResolverSchema resolvers[] = {with_timers("count_ips"), with_timers("other")};
    other = good(store->register_resolvers(resolvers, {})).at(1);
  }
  void set(const std::vector<StoredTimerChange>& timers) {
    good(store->commit({.head = next_head(), .states = {}, .outbox = {}, .timers = timers}));
  }
  std::vector<std::string> in_order(ResolverId resolver, std::size_t page = 100) {
    std::vector<std::string> found;
    std::optional<KeyTimer> after;
    while (true) {
      const auto timers = good(store->next_timers(resolver, after ? &*after : nullptr, page));
      for (const KeyTimer& one : timers) {
        found.push_back(one.key + "@" + std::to_string(one.timer.at_ms));
      }
      if (timers.size() < page) return found;
      after = timers.back();
    }
  }
};

using Strings = std::vector<std::string>;
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();

/// Writes a byte of a row's payload, past Weir and its checksums.
void damage(const std::filesystem::path& directory, const char* database, bool remove) {
  MDB_env* env = nullptr;
  REQUIRE(mdb_env_create(&env) == 0);
  mdb_env_set_maxdbs(env, 16);
  mdb_env_set_mapsize(env, std::size_t{1} << 30);
  REQUIRE(mdb_env_open(env, directory.c_str(), 0, 0600) == 0);
  MDB_txn* txn = nullptr;
  REQUIRE(mdb_txn_begin(env, nullptr, 0, &txn) == 0);
  MDB_dbi dbi = 0;
  REQUIRE(mdb_dbi_open(txn, database, 0, &dbi) == 0);
  MDB_cursor* cursor = nullptr;
  REQUIRE(mdb_cursor_open(txn, dbi, &cursor) == 0);
  MDB_val key{};
  MDB_val value{};
  REQUIRE(mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0);
  if (remove) {
    REQUIRE(mdb_cursor_del(cursor, 0) == 0);
  } else {
    std::string bytes(static_cast<const char*>(value.mv_data), value.mv_size);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    const std::string same_key(static_cast<const char*>(key.mv_data), key.mv_size);
    MDB_val k{same_key.size(), const_cast<char*>(same_key.data())};
    MDB_val v{bytes.size(), bytes.data()};
    REQUIRE(mdb_cursor_put(cursor, &k, &v, MDB_CURRENT) == 0);
  }
  mdb_cursor_close(cursor);
  REQUIRE(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);
}

}  // namespace

TEST_CASE("timers: a key has one and they come in the order of time and key") {
  const TempDir dir;
  const std::string longest(timer_key_bytes_max, 'k');
  {
    Timed one(options_in(dir / "task"));
    one.set({{one.id, "a", Timer{5, 0}},
             {one.id, "b", Timer{-5, 0}},
             {one.id, "c", Timer{5, 2}},
             {one.id, "d", Timer{most, 0}},
             {one.id, "e", Timer{least, 0}},
             {one.id, longest, Timer{6, 0}},
             {one.other, "a", Timer{1, 0}}});
    one.set({{one.id, "a", Timer{7, 0}}, {one.id, "b", std::nullopt}, {one.id, "x", std::nullopt}});
  }
  Timed again(options_in(dir / "task"));
  const Strings expected{"e@" + std::to_string(least), "c@5", longest + "@6", "a@7",
                         "d@" + std::to_string(most)};
  for (const std::size_t page : {1u, 2u, 100u}) CHECK(again.in_order(again.id, page) == expected);
  CHECK(again.in_order(again.other) == Strings{"a@1"});
  CHECK(good(again.store->timer_count(again.id)) == 5);
  CHECK(good(again.store->timer(again.id, "c")) == Timer{5, 2});
  CHECK(good(again.store->timer(again.id, "b")) == std::nullopt);
  CHECK(good(again.store->timer(again.id, std::string(key_bytes_max, 'k'))) == std::nullopt);
}

TEST_CASE("timers: random changes end as a map says") {
  const TempDir dir;
  auto options = options_in(dir / "task");
  options.sync = false;
  Timed one(options);
  std::mt19937 random(7);
  std::map<std::string, std::int64_t> model;
  for (int commit = 0; commit < 60; ++commit) {
    std::map<std::string, std::optional<Timer>> changes;
    for (auto i = random() % 40; i > 0; --i) {
      const std::string key = "key-" + std::to_string(random() % 50);
      std::optional<Timer> timer;
      if (random() % 3 != 0) timer = Timer{static_cast<std::int64_t>(random() % 20) - 10, 0};
      changes[key] = timer;
      if (timer) {
        model[key] = timer->at_ms;
      } else {
        model.erase(key);
      }
    }
    std::vector<StoredTimerChange> sorted;
    for (const auto& [key, timer] : changes) sorted.push_back({one.id, key, timer});
    one.set(sorted);
    std::vector<std::pair<std::int64_t, std::string>> due;
    for (const auto& [key, at_ms] : model) due.emplace_back(at_ms, key);
    std::sort(due.begin(), due.end());
    Strings expected;
    for (const auto& [at_ms, key] : due) expected.push_back(key + "@" + std::to_string(at_ms));
    REQUIRE(one.in_order(one.id, 7) == expected);
  }
}

TEST_CASE("timers: a resolver that lost its handler is refused while timers are set") {
  const TempDir dir;
  Timed one(options_in(dir / "task"));
  one.set({{one.id, "ana", Timer{5, 0}}, {one.id, "ben", Timer{6, 0}}});
  const ResolverSchema without[] = {ips_resolver("count_ips"), with_timers("other")};

  const Error error = bad(one.store->register_resolvers(without, {}));
  CHECK(error.code == Errc::refused);
  CHECK(error.message.find("resolver count_ips: it has 2 timers set, and "
                           "unique_ips/count_ips of version 1.0.0 has no handler") !=
        std::string::npos);

  const ResolverSchema gone[] = {with_timers("other")};
  good(one.store->register_resolvers(gone, {}));  // its State and timers stay where they are
  const ResolverSchema back[] = {with_timers("count_ips"), with_timers("other")};
  good(one.store->register_resolvers(back, {}));
  one.set({{one.id, "ana", std::nullopt}, {one.id, "ben", std::nullopt}});
  good(one.store->register_resolvers(without, {}));
}

TEST_CASE("timers: renaming a resolver keeps them") {
  const TempDir dir;
  Timed one(options_in(dir / "task"));
  one.set({{one.id, "ana", Timer{5, 0}}});
  ResolverSchema renamed = with_timers("renamed");
  renamed.renamed_from = "count_ips";
  const ResolverId id = good(one.store->register_resolvers({&renamed, 1}, {})).at(0);
  CHECK(one.in_order(id) == Strings{"ana@5"});
}

TEST_CASE("timers: the format is raised when the first resolver has them") {
  const TempDir dir;
  const auto format_of = [&] {
    MDB_env* env = nullptr;
    REQUIRE(mdb_env_create(&env) == 0);
    mdb_env_set_maxdbs(env, 4);
    REQUIRE(mdb_env_open(env, (dir / "task").c_str(), MDB_RDONLY, 0600) == 0);
    MDB_txn* txn = nullptr;
    REQUIRE(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn) == 0);
    MDB_dbi dbi = 0;
    REQUIRE(mdb_dbi_open(txn, "meta", 0, &dbi) == 0);
    std::string name = "environment";
    MDB_val key{name.size(), name.data()};
    MDB_val value{};
    REQUIRE(mdb_get(txn, dbi, &key, &value) == 0);
    v1::Environment identity;
    REQUIRE(identity.ParseFromArray(static_cast<const char*>(value.mv_data) + 8,
                                    static_cast<int>(value.mv_size) - 8));
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return identity.format();
  };
  { test::OneResolver one(options_in(dir / "task")); }
  CHECK(format_of() == 1);
  { Timed one(options_in(dir / "task")); }
  CHECK(format_of() == 2);
}

TEST_CASE("timers: damage is an error and never a timer") {
  for (const char* database : {"timers", "due"}) {
    for (const bool removed : {false, true}) {
      CAPTURE(database);
      CAPTURE(removed);
      const TempDir dir;
      {
        Timed one(options_in(dir / "task"));
        one.set({{one.id, "ana", Timer{5, 0}}});
      }
      damage(dir / "task", database, removed);
      Timed one(options_in(dir / "task"));
      const std::string name = database;
      if (name == "due" && removed) {
        // Nothing says so until the timer is changed.
        const StoredTimerChange change{one.id, "ana", std::nullopt};
        CHECK_FALSE(one.store->commit(
            {.head = one.next_head(), .states = {}, .outbox = {}, .timers = {&change, 1}}));
        continue;
      }
      CHECK(bad(one.store->next_timers(one.id, nullptr, 10)).code == Errc::corrupt);
    }
  }
}

}  // namespace weir::host
