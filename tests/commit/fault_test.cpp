#include <doctest/doctest.h>
#include <google/protobuf/stubs/logging.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <atomic>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "child.hpp"
#include "commit/names.hpp"
#include "commit/row.hpp"
#include "commit/state_directory.hpp"
#include "commit/state_reader.hpp"
#include "lmdb/environment.hpp"
#include "store_fixture.hpp"
#include "support/seed.hpp"

// What happens to a task's store when the map, the disk, the process or the bytes go wrong.
namespace weir::host {

using test::bad;
using test::Child;
using test::good;
using test::OneResolver;
using test::options_in;
using test::Signal;
using test::TempDir;

namespace {

TaskStore::Options unsynced(const std::filesystem::path& directory) {
  TaskStore::Options options = options_in(directory);
  options.sync = false;
  return options;
}

}  // namespace

TEST_CASE("faults: a full map loses nothing and goes on when there is room") {
  const TempDir dir;
  TaskStore::Options options = unsynced(dir / "task");
  options.map_bytes = std::uint64_t{1} << 20;
  const std::string big(2 << 20, 'b');
  {
    OneResolver one(options);
    good(one.commit({{one.id, "ana", "A"}}, {"row"}));

    const Error full = bad(one.put("big", big));

    CHECK(full.code == Errc::full);
    CHECK(full.message.find("commit 2 of task visits-0") != std::string::npos);
    CHECK(full.message.find("of state.map_size 1 MiB are used") != std::string::npos);
    CHECK(one.get("ana") == "A");
    CHECK(one.get("big") == std::nullopt);
    CHECK(good(one.store->outbox()) == std::vector<std::string>{"row"});
    CHECK(one.store->head()->commit().sequence() == 1);
    good(one.put("bob", "B"));
    CHECK(bad(one.put("big", big)).code == Errc::full);
  }
  options.map_bytes = std::uint64_t{16} << 20;
  OneResolver one(options);
  CHECK(one.store->head()->commit().sequence() == 2);
  good(one.put("big", big));
  CHECK(one.get("ana") == "A");
  CHECK(one.get("bob") == "B");
  CHECK(one.get("big") == big);
}

TEST_CASE("faults: a map that fills up commit by commit takes no commit in halves") {
  const TempDir dir;
  TaskStore::Options options = unsynced(dir / "task");
  options.map_bytes = std::uint64_t{1} << 20;
  OneResolver one(options);
  int committed = 0;
  while (true) {
    const std::string key = std::to_string(committed);
    const std::string value(5000, 'x');
    const auto done = one.commit({{one.id, "0" + key, value}, {one.id, "1" + key, value}});
    if (!done) {
      CHECK(done.error().code == Errc::full);
      break;
    }
    ++committed;
  }
  CHECK(committed > 10);
  const std::string last = std::to_string(committed);
  CHECK(one.get("0" + last) == std::nullopt);
  CHECK(one.get("1" + last) == std::nullopt);
  for (int i = 0; i < committed; ++i)
    CHECK(one.get("0" + std::to_string(i)) == std::string(5000, 'x'));

  // Room from within: what is deleted can be used again.
  good(one.commit({{one.id, "00", std::nullopt}, {one.id, "01", std::nullopt}}));
}

TEST_CASE("faults: a reader that is in the way of a full map is named") {
  const TempDir dir;
  TaskStore::Options options = unsynced(dir / "task");
  options.map_bytes = std::uint64_t{1} << 20;
  OneResolver one(options);
  good(one.put("ana", "A"));
  Child reader([&](Signal& ready) {
    const auto environment = Environment::open({.directory = options.directory, .read_only = true});
    if (!environment || !(*environment)->begin_read()) return 2;
    ready.send();
    pause();
    return 3;
  });
  reader.wait_for_signal();
  Result<void> done;
  while (done) done = one.put("ana", std::string(20'000, 'x'));

  CHECK(done.error().code == Errc::full);
  CHECK(done.error().message.find("has been reading for") != std::string::npos);

  // Once it is dead, the next commit finds the room by itself.
  reader.kill();
  good(one.put("ana", std::string(20'000, 'y')));
}

// On a real file system of its own that is full: a small tmpfs, where this process may mount one.
TEST_CASE("faults: a full disk loses nothing and goes on when there is room") {
  const TempDir dir;
  const auto mount_small_disk = [&] {
    const bool root = geteuid() == 0;
    if (unshare(root ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    return mount("none", dir.path().c_str(), "tmpfs", 0, "size=8m") == 0;
  };
  Child child([&](Signal&) {
    if (!mount_small_disk()) return 77;
    std::ofstream(dir / "ballast") << std::string(2 << 20, 'b') << std::flush;
    {
      OneResolver one(options_in(dir / "task"));
      if (!one.commit({{one.id, "ana", "A"}}, {"row"})) return 1;
      const auto full = one.put("big", std::string(7 << 20, 'x'));
      if (full || full.error().code != Errc::full) return 2;
      if (full.error().message.find("the file system is full (" + dir.path().string()) ==
          std::string::npos) {
        return 3;
      }
      if (one.get("ana") != "A" || one.get("big") || one.store->head()->commit().sequence() != 1) {
        return 4;
      }
      if (one.store->outbox().operator*() != std::vector<std::string>{"row"}) return 5;
      std::filesystem::remove(dir / "ballast");
      if (!one.put("big", std::string(7 << 20, 'y'))) return 6;
      if (!one.put("bob", "B")) return 7;
    }
    OneResolver again(options_in(dir / "task"));
    if (again.get("ana") != "A" || again.get("bob") != "B") return 8;
    if (again.get("big") != std::string(7 << 20, 'y')) return 9;
    // Commits that meet the end of the disk at every distance from it.
    int refused = 0;
    for (int i = 0; i < 60; ++i) {
      const auto done = again.put("k" + std::to_string(i), std::string(20'000, 'k'));
      if (!done && done.error().code != Errc::full) return 10;
      if (!done) ++refused;
      if (done && again.get("k" + std::to_string(i)) != std::string(20'000, 'k')) return 11;
    }
    if (refused == 0) return 12;
    return again.get("ana") == "A" ? 0 : 13;
  });
  const int code = child.exit_code();
  if (code == 77) {
    MESSAGE("no file system may be mounted here, so none was filled");
  } else {
    CHECK(code == 0);
  }
}

TEST_CASE("faults: to open on a full disk is an error and no SIGBUS") {
  const TempDir dir;
  Child child([&](Signal&) {
    const bool root = geteuid() == 0;
    if (unshare(root ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
    mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (mount("none", dir.path().c_str(), "tmpfs", 0, "size=1m") != 0) return 77;
    for (int free_kib = 0; free_kib < 256; free_kib += 4) {
      std::filesystem::remove_all(dir / "task");
      {
        std::ofstream ballast(dir / "ballast");
        ballast << std::string(static_cast<std::size_t>((1024 - free_kib)) << 10, 'b');
      }
      const auto store = TaskStore::open(options_in(dir / "task"));
      if (!store && store.error().code != Errc::full) return 1;
      if (free_kib == 0 && store) return 2;
    }
    std::filesystem::remove(dir / "ballast");
    std::filesystem::remove_all(dir / "task");
    return TaskStore::open(options_in(dir / "task")) ? 0 : 3;
  });
  const int code = child.exit_code();
  if (code == 77) {
    MESSAGE("no file system may be mounted here, so none was filled");
  } else {
    CHECK(code == 0);
  }
}

TEST_CASE("faults: the file size limit of the process is like a full disk") {
  const TempDir dir;
  Child child([&](Signal&) {
    signal(SIGXFSZ, SIG_IGN);
    OneResolver one(options_in(dir / "task"));
    if (!one.put("ana", "A")) return 1;
    const rlimit limit{4 << 20, 64 << 20};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    const auto full = one.put("big", std::string(8 << 20, 'x'));
    if (full || full.error().code != Errc::full) return 3;
    if (one.get("ana") != "A") return 4;
    const rlimit larger{64 << 20, 64 << 20};
    setrlimit(RLIMIT_FSIZE, &larger);
    return one.put("big", std::string(8 << 20, 'y')) ? 0 : 5;
  });
  CHECK(child.exit_code() == 0);
  OneResolver again(options_in(dir / "task"));
  CHECK(again.get("big") == std::string(8 << 20, 'y'));
  CHECK(again.get("ana") == "A");
}

TEST_CASE("faults: a process that dies between two steps of a commit leaves all of it or nothing") {
  const std::string other(9000, 'o');
  for (const std::string victim : {"begun", "states_put", "outbox_put", "head_put", "committed"}) {
    for (int round = 0; round < 20; ++round) {
      CAPTURE(victim);
      CAPTURE(round);
      const TempDir dir;
      Child child([&](Signal&) {
        TaskStore::Options options = unsynced(dir / "task");
        int commits = 0;
        options.at_step = [&](std::string_view step) {
          if (step == "begun") ++commits;
          if (commits == 1 + round && step == victim) ::kill(getpid(), SIGKILL);
        };
        OneResolver one(options);
        for (int i = 1;; ++i) {
          const std::string value = std::to_string(i) + other;
          if (!one.commit({{one.id, "a", value}, {one.id, "b", value}}, {value, "x"})) return 1;
        }
      });
      CHECK(child.exit_code() == -SIGKILL);

      OneResolver one(unsynced(dir / "task"));
      const int survivors = round + (victim == "committed" ? 1 : 0);
      CHECK((one.store->head() ? one.store->head()->commit().sequence() : 0) ==
            static_cast<std::uint64_t>(survivors));
      if (survivors > 0) {
        const std::string value = std::to_string(survivors) + other;
        CHECK(one.get("a") == value);
        CHECK(one.get("b") == value);
        CHECK(good(one.store->outbox()) == std::vector<std::string>{value, "x"});
      } else {
        CHECK(one.get("a") == std::nullopt);
        CHECK(good(one.store->outbox()).empty());
      }
      good(one.put("a", "goes on"));
    }
  }
}

TEST_CASE("faults: a process that dies anywhere has lost nothing it was told is committed") {
  const std::uint64_t seed = test::seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 40; ++round) {
    CAPTURE(round);
    const TempDir dir;
    const auto told = 1 + random() % 20;
    const auto size = random() % 60'000;
    const auto spin = random() % 20'000;
    Child child([&](Signal& committed) {
      OneResolver one(unsynced(dir / "task"));
      for (int i = 1;; ++i) {
        const std::string value = std::to_string(i) + std::string(size, 'v');
        if (!one.commit({{one.id, "a", value}, {one.id, "b", value}}, {value})) return 1;
        committed.send();
      }
    });
    for (std::uint64_t i = 0; i < told; ++i) child.wait_for_signal();
    std::atomic<std::uint64_t> spun = 0;
    while (spun < spin) ++spun;
    child.kill();

    OneResolver one(unsynced(dir / "task"));
    REQUIRE(one.store->head().has_value());
    const std::uint64_t sequence = one.store->head()->commit().sequence();
    const std::string value = std::to_string(sequence) + std::string(size, 'v');
    CHECK(sequence >= told);
    CHECK(one.get("a") == value);
    CHECK(one.get("b") == value);
    CHECK(good(one.store->outbox()) == std::vector<std::string>{value});
    good(one.put("a", "goes on"));
  }
}

TEST_CASE("faults: a file that was cut off is an error and no SIGBUS") {
  const TempDir dir;
  {
    OneResolver one(unsynced(dir / "task"));
    good(one.put("ana", std::string(100'000, 'x')));
  }
  const auto whole = std::filesystem::file_size(dir / "task" / "data.mdb");
  for (const std::uintmax_t size :
       {whole - 4096, whole / 2, std::uintmax_t{8192}, std::uintmax_t{5000}, std::uintmax_t{100}}) {
    CAPTURE(size);
    std::filesystem::resize_file(dir / "task" / "data.mdb", size);
    CHECK(bad(TaskStore::open(unsynced(dir / "task"))).code == Errc::corrupt);
  }
}

TEST_CASE("faults: a file that is not LMDB or not ours is an error and stays as it is") {
  const TempDir dir;
  std::filesystem::create_directories(dir / "task");
  std::ofstream(dir / "task" / "data.mdb") << std::string(10'000, 'x');
  CHECK(bad(TaskStore::open(unsynced(dir / "task"))).code == Errc::corrupt);
  CHECK(std::filesystem::file_size(dir / "task" / "data.mdb") == 10'000);

  {
    const auto foreign = good(Environment::open(
        {.directory = dir.path(), .map_bytes = 1 << 20, .read_only = false, .sync = false}));
    MDB_txn* raw = nullptr;
    REQUIRE(mdb_txn_begin(foreign->get(), nullptr, 0, &raw) == 0);
    Transaction txn(raw);
    MDB_dbi dbi = 0;
    REQUIRE(mdb_dbi_open(raw, "theirs", MDB_CREATE, &dbi) == 0);
    REQUIRE(txn.commit() == 0);
  }
  const Error foreign = bad(TaskStore::open(unsynced(dir.path())));
  CHECK(foreign.code == Errc::corrupt);
  CHECK(foreign.message.find("not a task of Weir") != std::string::npos);
}

namespace {

struct StoredRow {
  std::string database;
  std::string key;
  std::string bytes;
};

/// The rows of a task, read and written behind the store's back.
struct Backdoor {
  std::unique_ptr<Environment> environment;
  MDB_txn* raw = nullptr;

  explicit Backdoor(const std::filesystem::path& directory)
      : environment(good(Environment::open(
            {.directory = directory, .map_bytes = 0, .read_only = false, .sync = false}))) {
    REQUIRE(mdb_txn_begin(environment->get(), nullptr, 0, &raw) == 0);
  }
  ~Backdoor() { CHECK(mdb_txn_commit(raw) == 0); }
  Backdoor(const Backdoor&) = delete;
  Backdoor& operator=(const Backdoor&) = delete;

  MDB_dbi open(const std::string& database) const {
    MDB_dbi dbi = 0;
    REQUIRE(mdb_dbi_open(raw, database.c_str(), 0, &dbi) == 0);
    return dbi;
  }
  std::vector<StoredRow> rows() const {
    std::vector<StoredRow> out;
    for (const char* database : {"meta", "resolvers", "schemas", "outbox", "state.1"}) {
      Cursor cursor;
      REQUIRE(cursor.open(raw, open(database)) == 0);
      MDB_val key{};
      MDB_val value{};
      while (mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT) == 0) {
        out.push_back({database, std::string(to_view(key)), std::string(to_view(value))});
      }
    }
    return out;
  }
  void put(const StoredRow& row) const {
    MDB_val key = to_val(row.key);
    MDB_val value = to_val(row.bytes);
    REQUIRE(mdb_put(raw, open(row.database), &key, &value, 0) == 0);
  }
};

std::string mutated(std::string bytes, std::mt19937_64& random) {
  const std::string before = bytes;
  while (bytes == before) {
    switch (random() % 4) {
      case 0:
        if (!bytes.empty()) bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
        break;
      case 1:
        bytes.resize(random() % (bytes.size() + 1));
        break;
      case 2:
        bytes += static_cast<char>(random());
        break;
      default:
        for (char& byte : bytes) {
          if (random() % 4 == 0) byte = static_cast<char>(random());
        }
    }
  }
  return bytes;
}

/// Reads everything there is; the kinds of errors that this gave.
std::vector<Errc> read_everything(const std::filesystem::path& state) {
  std::vector<Errc> errors;
  const auto note = [&](const auto& result) {
    if (!result) errors.push_back(result.error().code);
    return result.has_value();
  };
  {
    const auto reader = StateReader::open(state);
    if (note(reader)) {
      note((*reader)->resolvers());
      note((*reader)->list("", "", [&](const StateReader::Entry& entry) {
        note((*reader)->to_json(entry));
        return true;
      }));
      note((*reader)->get("count_ips", "ana"));
    }
  }
  const auto store = TaskStore::open(unsynced(state / "tasks" / "visits-0"));
  if (!note(store)) return errors;
  const ResolverSchema resolver = test::ips_resolver();
  const auto ids = (*store)->register_resolvers({&resolver, 1}, {});
  if (!note(ids)) return errors;
  note((*store)->get(ids->at(0), "ana"));
  note((*store)->get(ids->at(0), "bob"));
  note((*store)->outbox());
  return errors;
}

}  // namespace

TEST_CASE("faults: a damaged row is corrupt and one with a good checksum does no harm") {
  const std::uint64_t seed = test::seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const TempDir dir;
  const std::filesystem::path state = dir / "state";
  std::vector<std::string> warnings;
  good(StateDirectory::lock(state, "shop", warnings));
  const std::filesystem::path task = state / "tasks" / "visits-0";
  {
    OneResolver one(unsynced(task));
    good(one.commit({{one.id, "ana", "\x10\x07"}, {one.id, "bob", "\x10\x08"}},
                    {"first", "second"}));
  }
  CHECK(read_everything(state).empty());
  const std::vector<StoredRow> rows = Backdoor(task).rows();
  REQUIRE(rows.size() == 8);
  const google::protobuf::LogSilencer quiet;  // about strings that are no UTF-8

  for (int round = 0; round < 500; ++round) {
    const StoredRow& victim = rows[random() % rows.size()];
    const bool framed = random() % 2 == 0;
    StoredRow damaged = victim;
    if (framed) {
      damaged.bytes = std::string(row_header_bytes, '\0') +
                      mutated(victim.bytes.substr(row_header_bytes), random);
      write_row_header(damaged.bytes.data(), damaged.key, static_cast<std::uint16_t>(random() % 3),
                       std::string_view(damaged.bytes).substr(row_header_bytes));
    } else {
      damaged.bytes = mutated(victim.bytes, random);
    }
    Backdoor(task).put(damaged);
    CAPTURE(round);
    CAPTURE(victim.database);
    CAPTURE(printable(victim.key));
    CAPTURE(printable(damaged.bytes));

    const std::vector<Errc> errors = read_everything(state);

    // A good checksum over other bytes is not damage but another program; it only must not crash,
    // and what it gives is an answer or one of these.
    for (const Errc code : errors) {
      const bool said =
          code == Errc::corrupt ||
          (framed && (code == Errc::refused || code == Errc::invalid || code == Errc::not_found));
      CHECK(said);
    }
    if (!framed) CHECK_FALSE(errors.empty());
    const Backdoor repair(task);
    for (const StoredRow& row : rows) repair.put(row);
  }
  CHECK(read_everything(state).empty());
}

TEST_CASE("faults: a row in another row's place is corrupt") {
  const TempDir dir;
  {
    OneResolver one(unsynced(dir / "task"));
    good(one.commit({{one.id, "ana", "A"}, {one.id, "bob", "B"}}));
  }
  {
    const Backdoor backdoor(dir / "task");
    std::vector<StoredRow> rows = backdoor.rows();
    for (StoredRow& row : rows) {
      if (row.key != "ana") continue;
      row.key = "bob";
      backdoor.put(row);
    }
  }
  OneResolver one(unsynced(dir / "task"));

  const Error swapped = bad(one.store->get(one.id, "bob"));

  CHECK(one.get("ana") == "A");
  CHECK(swapped.code == Errc::corrupt);
  CHECK(swapped.message.find("the State of resolver count_ips for key \"bob\"") !=
        std::string::npos);
}

}  // namespace weir::host
