// A log that has forgotten what an app published: its mark deleted, or expired.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include "app/app.hpp"
#include "log/memory_log.hpp"
#include "publish/commit_id.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {

namespace {

const TopicPartition visits{"visits", 0};

struct Fixture {
  test::TempDir directory;
  Config config = *Config::parse(fmt::format(R"(
app: shop
plugins: [{}]
sources:
  visits: {{topic: visits}}
resolvers:
  count_ips: {{use: unique_ips/count_ips, from: visits, to: {{"*": features}}}}
sinks:
  features: {{topic: features}}
)",
                                             WEIR_UNIQUE_IPS),
                                 "app.yaml");
  MemoryLog log;
  ManualClock clock{1'000};
  Logger logger{Logger::Format::human, LogLevel::error};

  Result<std::unique_ptr<App>> start() {
    return App::open(
        config, {.state = directory / "state", .log = &log, .own_threads = false, .sync = false},
        clock, logger);
  }
  /// Runs, handles `visit`, publishes what comes of it, and dies.
  void run(std::string_view visit) {
    const auto app = start();
    REQUIRE(app.has_value());
    REQUIRE(log.append(std::vector{NewRecord{.topic = "visits", .value = visit}}).has_value());
    for (Task* task : (*app)->tasks()) {
      while (task->turn() == Task::Turn::worked) {
      }
      REQUIRE(task->commit_and_wait());
    }
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
  shop.run(R"({"user_id": "ana", "ip": "192.0.2.1"})");
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
