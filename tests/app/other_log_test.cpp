// A log that holds other records than those that the State was made from, under the same offsets.
#include <doctest/doctest.h>

#include "app/shop.hpp"

namespace weir::host {

namespace {

using test::visits;

struct Fixture : test::Shop {
  /// Works through what is there; the task's position, or why it has halted.
  static std::string run(App& app) {
    Task& task = *app.tasks().front();
    work(task);
    return task.halted() ? task.halt_reason().message : fmt::format("{}", task.position());
  }
  std::string run(MemoryLog& log) {
    const auto app = start(log);
    return app ? run(**app) : app.error().message;
  }
  static std::string ips(App& app) {
    return app.tasks().front()->state("count_ips", "ana")->value_or("none");
  }
  /// The first log's mark, as if its broker had been put back from a copy.
  static void copy_mark(MemoryLog& from, MemoryLog& to) {
    const auto mark = from.committed("shop", visits);
    REQUIRE((mark && *mark));
    const auto producer = to.open_producer("shop", "0");
    const Publication publication{{&**mark, 1}, {}};
    REQUIRE((*producer)->publish({&publication, 1}).has_value());
  }
};

}  // namespace

TEST_CASE("other log: another record in the place of the last one halts before any is applied") {
  Fixture shop;
  MemoryLog first;
  Fixture::append(first, "192.0.2.1");
  Fixture::append(first, "192.0.2.2");
  REQUIRE(shop.run(first) == "2");
  MemoryLog second;
  for (const char* ip : {"198.51.100.1", "198.51.100.2", "198.51.100.3"}) {
    Fixture::append(second, ip);
  }
  const std::string other = "topic visits partition 0 holds another record at offset 1";

  SUBCASE("a start without its marks is refused and says why") {
    const std::string said = shop.run(second);
    CHECK(said.find(other) != std::string::npos);
    CHECK(said.find("weir reset app.yaml --source visits --to earliest --state drop") !=
          std::string::npos);
  }
  SUBCASE("with its marks the task halts") {
    Fixture::copy_mark(first, second);
    const auto app = shop.start(second);
    REQUIRE(app.has_value());
    const std::string before = Fixture::ips(**app);
    CHECK(Fixture::run(**app).find(other) != std::string::npos);
    CHECK(Fixture::ips(**app) == before);
  }
}

TEST_CASE("other log: a log that still has the last record or has lost it goes on") {
  Fixture shop;
  MemoryLog log;
  Fixture::append(log, "192.0.2.1");
  REQUIRE(shop.run(log) == "1");

  SUBCASE("it is there") {}
  SUBCASE("it is the last one before a gap") {
    REQUIRE(log.add_gap(visits, 3).has_value());
    CHECK(shop.run(log) == "4");
    CHECK(shop.run(log) == "4");
  }
  SUBCASE("it was deleted by age") { REQUIRE(log.truncate(visits, 1).has_value()); }
  Fixture::append(log, "192.0.2.2");
  const auto end = log.offsets(visits)->end;

  const auto app = shop.start(log);
  REQUIRE(app.has_value());
  CHECK(Fixture::run(**app) == fmt::format("{}", end));
  CHECK((*app)->tasks().front()->counters().records == 1);
}

}  // namespace weir::host
