// A log that has forgotten what an app published: its mark deleted, or expired.
#include <doctest/doctest.h>

#include "app/shop.hpp"
#include "publish/commit_id.hpp"

namespace weir::host {

namespace {

using test::visits;

struct Fixture : test::Shop {
  MemoryLog log;
  Result<std::unique_ptr<App>> start() { return Shop::start(log); }
  /// Runs, handles a visit, publishes what comes of it, and dies.
  void run(std::string_view ip) {
    const auto app = start();
    REQUIRE(app.has_value());
    append(log, ip);
    for (Task* task : (*app)->tasks()) REQUIRE(work(*task));
  }
  std::uint64_t marked_sequence() {
    const auto mark = log.committed("shop", visits);
    REQUIRE(mark.has_value());
    return *mark ? parse_metadata((*mark)->metadata)->sequence() : 0;
  }
};

}  // namespace

TEST_CASE("lost mark: features are not published again when the mark of the first ones is gone") {
  Fixture shop;
  shop.run("192.0.2.1");
  REQUIRE(shop.log.offsets({"features", 0})->end == 1);
  shop.log.forget_mark("shop", visits);

  const auto again = shop.start();

  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == Errc::refused);
  CHECK(again.error().message.find("the log has lost its mark") != std::string::npos);
  CHECK(shop.log.offsets({"features", 0})->end == 1);
}

TEST_CASE("lost mark: an app has one from its first start") {
  Fixture shop;
  REQUIRE(shop.start().has_value());
  CHECK(shop.marked_sequence() == 1);

  SUBCASE("and publishes it again if it did not get that far") {
    shop.log.forget_mark("shop", visits);
    REQUIRE(shop.start().has_value());
    CHECK(shop.marked_sequence() == 1);
  }
  SUBCASE("so that a lost state directory is not taken for a first start") {
    std::filesystem::remove_all(shop.directory / "state");
    const auto again = shop.start();
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().code == Errc::refused);
  }
}

}  // namespace weir::host
