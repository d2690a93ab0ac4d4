// What a reset does with output that the last run has committed and the log may not have.
#include <doctest/doctest.h>

#include "app/shop.hpp"
#include "publish/commit_id.hpp"
#include "task/stopped_task.hpp"

namespace weir::host {

namespace {

using test::visits;

/// An app whose newest commit, that of the second visit, has output. `log` has both visits, but
/// nothing of what the app has published elsewhere.
struct Fixture : test::Shop {
  MemoryLog log;
  std::string before;  // the mark of the commit before the newest
  std::string newest;

  Fixture() {
    MemoryLog elsewhere;
    for (MemoryLog* one : {&elsewhere, &log}) append(*one, "192.0.2.1");
    before = run(elsewhere);
    for (MemoryLog* one : {&elsewhere, &log}) append(*one, "192.0.2.2");
    newest = run(elsewhere);
    REQUIRE(log.create_topic("features", 1).has_value());
  }
  /// Works through what is there and dies; the mark that it leaves.
  std::string run(MemoryLog& on) {
    const auto app = start(on);
    REQUIRE(app.has_value());
    REQUIRE(work(*(*app)->tasks().front()));
    return (*on.committed("shop", visits))->metadata;
  }
  void mark(const std::string& metadata) {
    const Mark one{visits, 1, metadata};
    const Publication publication{{&one, 1}, {}};
    const auto producer = log.open_producer("shop", "0");
    REQUIRE((*producer)->publish({&publication, 1}).has_value());
  }
  std::unique_ptr<StoppedTask> open() {
    auto opened = StoppedTask::open({.app = "shop",
                                     .name = "visits-0",
                                     .input = visits,
                                     .store = {.directory = directory / "state/tasks/visits-0",
                                               .app = "shop",
                                               .task = "visits-0",
                                               .map_bytes = std::uint64_t{1} << 30,
                                               .sync = false}},
                                    log, nullptr);
    REQUIRE(opened.has_value());
    return *std::move(opened);
  }
  void move(StoppedTask& task, std::int64_t to, bool drop) {
    const auto publisher = Publisher::open(log, {.group = "shop", .id = "0", .own_thread = false});
    REQUIRE(publisher.has_value());
    TaskSinks sinks;
    sinks.topics.emplace("features", TopicSink{"features", 1, std::nullopt});
    const auto moved = task.move_to(to, drop, **publisher, sinks);
    if (!moved) FAIL(moved.error().message);
  }
  std::int64_t published() { return log.offsets({"features", 0})->end; }
};

}  // namespace

TEST_CASE("stopped task: what the log lacks for sure or perhaps goes out first") {
  struct Case {
    const char* what;
    std::function<void(Fixture&)> mark;
    bool fits;
    bool may_repeat;
    std::int64_t published;
  };
  const std::vector<Case> cases = {
      {"the commit before", [](Fixture& shop) { shop.mark(shop.before); }, true, false, 1},
      {"the newest commit", [](Fixture& shop) { shop.mark(shop.newest); }, true, false, 0},
      {"its mark is lost", [](Fixture&) {}, false, true, 1},
      {"another program has set it", [](Fixture& shop) { shop.mark(""); }, false, true, 1},
      {"another State has published",
       [](Fixture& shop) { shop.mark("weir1;00000000000000aa;7;00000000000000bb"); }, false, true,
       1},
      {"later commits, which this State no longer knows",
       [](Fixture& shop) {
         v1::CommitId later = *parse_metadata(shop.newest);
         later.set_sequence(later.sequence() + 5);
         shop.mark(to_metadata(later));
       },
       false, false, 0},
  };
  for (const Case& one : cases) {
    for (const bool drop : {false, true}) {
      CAPTURE(one.what);
      CAPTURE(drop);
      Fixture shop;
      one.mark(shop);
      const auto task = shop.open();
      CHECK(task->standing().next_offset == 2);
      CHECK(task->standing().states == 1);
      CHECK(task->standing().mark_fits == one.fits);
      CHECK(task->standing().may_repeat == one.may_repeat);
      CHECK(shop.published() == 0);

      shop.move(*task, drop ? 0 : 2, drop);

      CHECK(shop.published() == one.published);
    }
  }
}

TEST_CASE("stopped task: a host goes on from where it was put with the State or without") {
  Fixture shop;
  bool drop = false;
  SUBCASE("with it") {}
  SUBCASE("without it") { drop = true; }
  {
    const auto task = shop.open();
    shop.move(*task, 1, drop);
  }
  const auto task = shop.open();
  CHECK(task->standing().next_offset == 1);
  CHECK(task->standing().mark_fits);
  CHECK(task->standing().states == (drop ? 0 : 1));
}

}  // namespace weir::host
