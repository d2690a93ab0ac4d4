#include "commit/task_store.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/limits.hpp"
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

}  // namespace weir::host
