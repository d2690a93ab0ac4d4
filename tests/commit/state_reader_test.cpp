#include "commit/state_reader.hpp"

#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "child.hpp"
#include "commit/state_directory.hpp"
#include "lmdb/environment.hpp"
#include "store_fixture.hpp"

namespace weir::host {

using test::bad;
using test::good;
using test::ips_proto;
using test::ips_resolver;
using test::OneResolver;
using test::options_in;
using test::TempDir;

namespace {

// A state directory with the given States in one task, not open by anybody afterwards.
struct Offline {
  TempDir dir;
  std::filesystem::path path = dir / "state";

  Offline() {
    std::vector<std::string> warnings;
    good(StateDirectory::lock(path, "shop", warnings));
  }
  TaskStore::Options task(const std::string& name) const {
    TaskStore::Options options = options_in(path / "tasks" / name);
    options.task = name;
    return options;
  }
};

// Wire bytes of test.Ips.
std::string ips(std::initializer_list<std::string> seen, int total = 0, int kind = 0) {
  std::string out;
  for (const std::string& ip : seen) {
    const std::string entry =
        "\x0a" + std::string(1, static_cast<char>(ip.size())) + ip + "\x10\x01";
    out += "\x0a" + std::string(1, static_cast<char>(entry.size())) + entry;
  }
  if (total != 0) out += "\x10" + std::string(1, static_cast<char>(total));
  if (kind != 0) out += "\x18" + std::string(1, static_cast<char>(kind));
  return out;
}

std::vector<StateReader::Entry> all(StateReader& reader, std::string_view resolver,
                                    std::string_view prefix) {
  std::vector<StateReader::Entry> out;
  good(reader.list(resolver, prefix, [&](const StateReader::Entry& entry) {
    out.push_back(entry);
    return true;
  }));
  return out;
}

}  // namespace

TEST_CASE("state reader: a State is JSON without the code that wrote it") {
  const Offline offline;
  OneResolver(offline.task("visits-0")).put("ana", ips({"b", "a"}, 7, 1)).operator*();

  const auto reader = good(StateReader::open(offline.path));
  const auto found = good(reader->get("count_ips", "ana"));

  CHECK(reader->app() == "shop");
  REQUIRE(found.size() == 1);
  CHECK(found[0].task == "visits-0");
  CHECK(found[0].type == "test.Ips");
  CHECK(found[0].state_version == 1);
  CHECK(good(reader->to_json(found[0])) ==
        R"({"seen":{"a":true,"b":true},"totalCount":"7","kind":"GUEST"})");
}

TEST_CASE("state reader: State that is no State has no JSON and does no harm") {
  const Offline offline;
  OneResolver(offline.task("visits-0")).put("ana", "\x0a\x7f").operator*();

  const auto reader = good(StateReader::open(offline.path));
  const auto found = good(reader->get("", "ana"));

  REQUIRE(found.size() == 1);
  const Error corrupt = bad(reader->to_json(found[0]));
  CHECK(corrupt.code == Errc::corrupt);
  CHECK(corrupt.message.find("resolver count_ips, key \"ana\"") != std::string::npos);
}

TEST_CASE("state reader: all tasks are listed by task and resolver and key") {
  const Offline offline;
  for (const char* name : {"visits-1", "visits-0"}) {
    OneResolver one(offline.task(name));
    good(one.commit({{one.id, std::string_view("\0\xff", 2), "A"}, {one.id, "ana", ""}}));
  }

  const auto reader = good(StateReader::open(offline.path));
  const auto found = all(*reader, "", "");

  REQUIRE(found.size() == 4);
  CHECK(found[0].task == "visits-0");
  CHECK(found[0].key == std::string("\0\xff", 2));
  CHECK(found[0].bytes == "A");
  CHECK(found[1].key == "ana");
  CHECK(found[1].bytes.empty());
  CHECK(found[2].task == "visits-1");
  CHECK(good(reader->get("count_ips", std::string_view("\0\xff", 2))).size() == 2);
  CHECK(good(reader->get("count_ips", "nobody")).empty());
  const auto resolvers = good(reader->resolvers());
  REQUIRE(resolvers.size() == 2);
  CHECK(resolvers[1].task == "visits-1");
  CHECK(resolvers[1].name == "count_ips");
  CHECK(resolvers[1].entry.use() == "unique_ips/count_ips");
  CHECK(resolvers[1].state_count == 2);
}

TEST_CASE("state reader: many pages come whole and in order and a prefix and a stop hold") {
  const Offline offline;
  {
    OneResolver one(offline.task("visits-0"));
    std::vector<std::string> keys;
    for (int i = 0; i < 1000; ++i) keys.push_back(fmt::format("k{:04}", i));
    std::vector<StateChange> states;
    for (const std::string& key : keys) states.push_back({one.id, key, key});
    good(one.commit(states));
  }

  const auto reader = good(StateReader::open(offline.path));
  const auto found = all(*reader, "count_ips", "");

  REQUIRE(found.size() == 1000);
  for (std::size_t i = 0; i < 1000; ++i) CHECK(found[i].key == fmt::format("k{:04}", i));
  CHECK(all(*reader, "count_ips", "k05").size() == 100);
  CHECK(all(*reader, "count_ips", "k0599").size() == 1);
  CHECK(all(*reader, "count_ips", "x").empty());
  CHECK(all(*reader, "count_ips", std::string(600, 'k')).empty());
  int seen = 0;
  good(reader->list("", "", [&](const StateReader::Entry&) { return ++seen < 300; }));
  CHECK(seen == 300);
}

TEST_CASE("state reader: what is not there is said with what is") {
  const Offline offline;
  const TempDir empty;
  CHECK(bad(StateReader::open(empty / "nowhere")).code == Errc::not_found);
  CHECK(bad(StateReader::open(empty.path())).code == Errc::not_found);
  CHECK(bad(StateReader::open(offline.path)).code == Errc::not_found);
  OneResolver(offline.task("visits-0")).put("ana", "A").operator*();

  const auto reader = good(StateReader::open(offline.path));

  const Error unknown = bad(reader->get("count", "ana"));
  CHECK(unknown.code == Errc::not_found);
  CHECK(unknown.message.find("there are: count_ips") != std::string::npos);
  CHECK(bad(reader->get("", "")).code == Errc::invalid);
  CHECK(bad(reader->get("", std::string(512, 'k'))).code == Errc::invalid);
}

TEST_CASE("state reader: a task that this process has open is refused") {
  const Offline offline;
  const OneResolver one(offline.task("visits-0"));

  CHECK(bad(StateReader::open(offline.path)).code == Errc::refused);
}

TEST_CASE("state reader: another process sees only whole commits while a host writes") {
  const Offline offline;
  TaskStore::Options options = offline.task("visits-0");
  options.sync = false;  // so that commits are fast enough to meet the reader in every state
  OneResolver one(options);
  good(one.commit({{one.id, "a", "0"}, {one.id, "b", "0"}}));
  test::Child child([&](test::Signal& ready) {
    auto reader = StateReader::open(offline.path);
    if (!reader) return 2;
    ready.send();
    std::string value;
    for (int distinct = 0; distinct < 200;) {
      std::vector<std::string> values;
      const auto listed = (*reader)->list("", "", [&](const StateReader::Entry& entry) {
        values.push_back(entry.bytes);
        return true;
      });
      if (!listed) return 3;
      if (values.size() != 2 || values[0] != values[1]) return 4;
      if (values[0] != value) ++distinct;
      value = values[0];
    }
    return 0;
  });
  child.wait_for_signal();

  for (int i = 1; child.running(); ++i) {
    const std::string value = std::to_string(i) + std::string(5000, 'v');
    good(one.commit({{one.id, "a", value}, {one.id, "b", value}}));
  }

  CHECK(child.exit_code() == 0);
}

TEST_CASE("state reader: tasks and resolvers that appear later are found") {
  const Offline offline;
  OneResolver(offline.task("visits-0")).put("ana", "A").operator*();
  test::Child child([&](test::Signal& ready) {
    auto reader = StateReader::open(offline.path);
    if (!reader || (*reader)->resolvers().operator*().size() != 1) return 2;
    ready.send();
    while (true) {
      const auto now = (*reader)->resolvers();
      if (!now) return 3;
      if (now->size() == 3) return 0;
    }
  });
  child.wait_for_signal();

  const OneResolver first(offline.task("visits-0"));
  const ResolverSchema both[] = {ips_resolver(), ips_resolver("second")};
  good(first.store->register_resolvers(both, {}));
  const OneResolver second(offline.task("visits-1"));

  CHECK(child.exit_code() == 0);
}

TEST_CASE("state reader: a map that the next host made larger is followed") {
  const Offline offline;
  TaskStore::Options options = offline.task("visits-0");
  options.map_bytes = std::uint64_t{1} << 20;
  { good(OneResolver(options).put("ana", "A")); }
  test::Child child([&](test::Signal& ready) {
    auto reader = StateReader::open(offline.path);
    if (!reader) return 2;
    ready.send();
    while (true) {
      const auto found = (*reader)->get("", "big");
      if (!found) return 3;
      if (found->size() == 1 && (*found)[0].bytes == std::string(8 << 20, 'b')) return 0;
    }
  });
  child.wait_for_signal();

  options.map_bytes = std::uint64_t{64} << 20;
  OneResolver one(options);
  good(one.put("big", std::string(8 << 20, 'b')));

  CHECK(child.exit_code() == 0);
}

TEST_CASE("state reader: a reader that was killed does not keep old pages for ever") {
  const Offline offline;
  TaskStore::Options options = offline.task("visits-0");
  options.sync = false;
  OneResolver one(options);
  const std::string big(100'000, 'x');
  const auto grow = [&](int commits) {
    const std::uint64_t before = one.store->usage().file_bytes;
    for (int i = 0; i < commits; ++i) good(one.put("ana", big));
    return one.store->usage().file_bytes - before;
  };
  grow(10);
  CHECK(grow(200) == 0);
  test::Child child([&](test::Signal& ready) {
    const auto environment = Environment::open({.directory = options.directory, .read_only = true});
    if (!environment || !(*environment)->begin_read()) return 2;
    ready.send();
    pause();
    return 3;
  });
  child.wait_for_signal();
  CHECK(grow(200) > 190 * big.size());

  child.kill();

  grow(64);  // within these the store looks for dead readers
  CHECK(grow(400) == 0);
}

TEST_CASE("state reader: a directory that may only be read is read while no host runs") {
  const Offline offline;
  OneResolver(offline.task("visits-0")).put("ana", "A").operator*();
  std::filesystem::permissions(
      offline.path / "tasks" / "visits-0" / "lock.mdb",
      std::filesystem::perms::owner_read | std::filesystem::perms::others_read);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(offline.dir.path())) {
    const bool folder = entry.is_directory();
    std::filesystem::permissions(
        entry.path(), folder ? std::filesystem::perms(0755) : std::filesystem::perms(0444));
  }
  std::filesystem::permissions(offline.dir.path(), std::filesystem::perms(0755));
  const auto as_nobody = [&] {
    test::Child child([&](test::Signal&) {
      if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 2;
      auto reader = StateReader::open(offline.path);
      if (!reader) return reader.error().code == Errc::refused ? 3 : 4;
      const auto found = (*reader)->get("count_ips", "ana");
      return found && found->size() == 1 && (*found)[0].bytes == "A" ? 0 : 5;
    });
    return child.exit_code();
  };

  CHECK(as_nobody() == 0);
  std::filesystem::permissions(offline.path / "weir.lock", std::filesystem::perms(0644));
  std::vector<std::string> warnings;
  const auto host = good(StateDirectory::lock(offline.path, "shop", warnings));
  CHECK(as_nobody() == 3);
}

}  // namespace weir::host
