#include "commit/task_store.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "child.hpp"
#include "store_fixture.hpp"

namespace weir::host {

using test::bad;
using test::good;
using test::OneResolver;
using test::options_in;
using test::TempDir;

TEST_CASE("task store: a commit is there after the store is opened again") {
  const TempDir dir;
  std::uint64_t lineage = 0;
  {
    OneResolver one(options_in(dir / "task"));
    lineage = one.store->lineage();
    CHECK_FALSE(one.store->head().has_value());
    v1::Head head = one.next_head();
    v1::Input* input = head.add_inputs();
    input->set_topic("visits");
    input->set_next_offset(7);
    const StateChange states[] = {{one.id, "ana", "A"}, {one.id, "bob", ""}};
    const std::string_view outbox[] = {"first", "", "third"};
    good(one.store->commit({head, states, outbox}));
    CHECK(one.get("ana") == "A");
  }

  OneResolver again(options_in(dir / "task"));

  CHECK(again.store->lineage() == lineage);
  CHECK(lineage != 0);
  REQUIRE(again.store->head().has_value());
  CHECK(again.store->head()->inputs(0).next_offset() == 7);
  CHECK(again.get("ana") == "A");
  CHECK(again.get("bob") == "");
  CHECK(again.get("eve") == std::nullopt);
  CHECK(good(again.store->outbox()) == std::vector<std::string>{"first", "", "third"});
  const auto state = good(again.store->get(again.id, "ana"));
  CHECK(state->state_version == 1);
  CHECK(state->schema == 1);
}

TEST_CASE("task store: a commit replaces the outbox of the one before and can delete States") {
  const TempDir dir;
  OneResolver one(options_in(dir / "task"));
  good(one.commit({{one.id, "ana", "A"}, {one.id, "bob", "B"}}, {"a", "b", "c"}));

  good(one.commit({{one.id, "ana", std::nullopt}, {one.id, "nobody", std::nullopt}}, {"d"}));

  CHECK(one.get("ana") == std::nullopt);
  CHECK(one.get("bob") == "B");
  CHECK(good(one.store->outbox()) == std::vector<std::string>{"d"});
  good(one.commit({}, {}));
  CHECK(good(one.store->outbox()).empty());
}

TEST_CASE("task store: a commit that drops leaves only itself") {
  const TempDir dir;
  {
    OneResolver one(options_in(dir / "task"), /*timers=*/true);
    const StateChange states[] = {{one.id, "ana", "A"}, {one.id, "bob", "B"}};
    const StoredTimerChange timers[] = {{one.id, "ana", Timer{1000, 0}}};
    const std::string_view outbox[] = {"out"};
    good(one.store->commit({one.next_head(), states, outbox, timers}));
    CHECK(good(one.store->contents()).states == 2);
    CHECK(good(one.store->contents()).timers == 1);
  }
  {
    const auto store = good(TaskStore::open(options_in(dir / "task")));
    CHECK(good(store->contents()).states == 2);
    v1::Head head = *store->head();
    head.mutable_commit()->set_sequence(2);
    CommitRequest request;
    request.head = head;
    request.drop = true;
    request.undo = UndoStep::forget;
    good(store->commit(request));
    CHECK(good(store->contents()).states == 0);
    CHECK(good(store->contents()).timers == 0);
    CHECK(good(store->outbox()).empty());
  }

  // Another type under the same name: nothing is left that it could misread.
  const auto store = good(TaskStore::open(options_in(dir / "task")));
  ResolverSchema other = test::ips_resolver();
  other.state = &test::ips_proto().type("test.Unrelated");
  const ResolverId id = good(store->register_resolvers({&other, 1}, {})).at(0);
  CHECK_FALSE(good(store->get(id, "ana")).has_value());
  CHECK(store->head()->commit().sequence() == 2);
}

TEST_CASE("task store: what is no commit is refused before anything is written") {
  const TempDir dir;
  OneResolver one(options_in(dir / "task"));
  good(one.put("ana", "A"));

  CHECK(bad(one.put("", "x")).code == Errc::invalid);
  CHECK(bad(one.put(std::string(key_bytes_max + 1, 'k'), "x")).code == Errc::invalid);
  CHECK(bad(one.store->get(one.id, "")).code == Errc::invalid);
  CHECK(bad(one.store->get(one.id, std::string(key_bytes_max + 1, 'k'))).code == Errc::invalid);
  v1::Head again = *one.store->head();
  CHECK(bad(one.store->commit({again, {}, {}})).code == Errc::internal);
  v1::Head foreign = one.next_head();
  foreign.mutable_commit()->set_lineage(one.store->lineage() + 1);
  CHECK(bad(one.store->commit({foreign, {}, {}})).code == Errc::internal);

  good(one.put(std::string(key_bytes_max, 'k'), "longest"));
  CHECK(one.get(std::string(key_bytes_max, 'k')) == "longest");
  CHECK(one.store->head()->commit().sequence() == 2);
}

TEST_CASE("task store: what another process has committed meanwhile is not overwritten") {
  const TempDir dir;
  // Forked before this process opens the store.
  test::Signal opened;
  test::Child other([&](test::Signal& committed) {
    if (!opened.wait()) return 1;
    OneResolver one(options_in(dir / "task"));
    good(one.put("ana", "theirs"));
    committed.send();
    return 0;
  });
  OneResolver one(options_in(dir / "task"));
  good(one.put("bob", "ours"));
  opened.send();
  other.wait_for_signal();
  REQUIRE(other.exit_code() == 0);

  const Error refusal = bad(one.put("ana", "ours"));

  CHECK(refusal.code == Errc::refused);
  CHECK(refusal.message.find("another process has written commit 2") != std::string::npos);
  CHECK(one.get("ana") == std::nullopt);
  one.store.reset();
  OneResolver again(options_in(dir / "task"));
  CHECK(again.get("ana") == "theirs");
  CHECK(again.get("bob") == "ours");
}

TEST_CASE("task store: a State of 100 MB goes in and out") {
  const TempDir dir;
  TaskStore::Options options = options_in(dir / "task");
  options.sync = false;
  std::string big(100'000'000, 'b');
  for (std::size_t i = 0; i < big.size(); i += 4093) big[i] = static_cast<char>(i);
  {
    OneResolver one(options);
    good(one.put("big", big));
    CHECK(bad(one.put("bigger", std::string(state_bytes_max + 1, 'x'))).code == Errc::invalid);
    good(one.put("small", "s"));
  }

  OneResolver one(options);
  const bool same = good(one.store->get(one.id, "big"))->bytes == big;

  CHECK(same);
  CHECK(one.get("small") == "s");
}

TEST_CASE("task store: an unchanged view of a State can be committed again") {
  const TempDir dir;
  OneResolver one(options_in(dir / "task"));
  good(one.commit(
      {{one.id, "ana", "A"}, {one.id, "bob", std::string_view(std::string(9000, 'B'))}}));

  const auto bob = good(one.store->get(one.id, "bob"));
  good(one.commit({{one.id, "ana", bob->bytes}, {one.id, "bob", bob->bytes}}));

  CHECK(one.get("ana") == std::string(9000, 'B'));
  CHECK(one.get("bob") == std::string(9000, 'B'));
}

TEST_CASE("task store: several resolvers keep their States apart") {
  const TempDir dir;
  const auto store = good(TaskStore::open(options_in(dir / "task")));
  const ResolverSchema both[] = {test::ips_resolver("one"), test::ips_resolver("two")};
  const auto ids = good(store->register_resolvers(both, {}));
  v1::Head head;
  head.mutable_commit()->set_lineage(store->lineage());
  head.mutable_commit()->set_sequence(1);
  const StateChange states[] = {{ids[0], "a", "1a"}, {ids[0], "b", "1b"}, {ids[1], "a", "2a"}};

  good(store->commit({head, states, {}}));

  CHECK(good(store->get(ids[0], "a"))->bytes == "1a");
  CHECK(good(store->get(ids[0], "b"))->bytes == "1b");
  CHECK(good(store->get(ids[1], "a"))->bytes == "2a");
  CHECK_FALSE(good(store->get(ids[1], "b")).has_value());
}

TEST_CASE("task store: an environment is open once in a process") {
  const TempDir dir;
  auto store = good(TaskStore::open(options_in(dir / "task")));
  std::filesystem::create_directory_symlink(dir / "task", dir / "link");

  CHECK(bad(TaskStore::open(options_in(dir / "task"))).code == Errc::refused);
  CHECK(bad(TaskStore::open(options_in(dir / "link"))).code == Errc::refused);

  store.reset();
  good(TaskStore::open(options_in(dir / "link")));
}

TEST_CASE("task store: the environment of another app or task is refused") {
  const TempDir dir;
  good(TaskStore::open(options_in(dir / "task")));
  TaskStore::Options options = options_in(dir / "task");
  options.app = "bank";
  const Error app = bad(TaskStore::open(options));
  CHECK(app.code == Errc::refused);
  CHECK(app.message.find("belongs to task visits-0 of app shop") != std::string::npos);
  options = options_in(dir / "task");
  options.task = "visits-1";
  CHECK(bad(TaskStore::open(options)).code == Errc::refused);
}

TEST_CASE("task store: States that are written anew leave the commit and its outbox as they are") {
  const TempDir dir;
  {
    OneResolver one(options_in(dir.path()));
    good(one.commit({{one.id, "ana", "old"}, {one.id, "ben", "other"}}, {"feature"}));
    const v1::CommitId commit = one.store->head()->commit();
    const StateChange anew{one.id, "ana", "new"};
    good(one.store->change_states({&anew, 1}));
    CHECK(one.get("ana") == "new");
    CHECK(one.get("ben") == "other");
    CHECK(one.store->head()->commit().sequence() == commit.sequence());
    CHECK(good(one.store->outbox()) == std::vector<std::string>{"feature"});
    const StateChange nobody{one.id, "", "new"};
    CHECK(bad(one.store->change_states({&nobody, 1})).code == Errc::invalid);
  }
  OneResolver one(options_in(dir.path()));
  CHECK(one.get("ana") == "new");
  CHECK(good(one.store->outbox()) == std::vector<std::string>{"feature"});
  good(one.put("ana", "newest"));
}

}  // namespace weir::host
