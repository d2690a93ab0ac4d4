#pragma once

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <memory>
#include <string_view>
#include <vector>

#include "app/app.hpp"
#include "log/memory_log.hpp"
#include "support/temp_dir.hpp"

namespace weir::host::test {

inline const TopicPartition visits{"visits", 0};

/// An app in this process that counts the addresses of each user, on logs in memory.
struct Shop {
  weir::test::TempDir directory;
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
  ManualClock clock{1'000};
  Logger logger{Logger::Format::human, LogLevel::error};

  Result<std::unique_ptr<App>> start(MemoryLog& log) {
    return App::open(
        config, {.state = directory / "state", .log = &log, .own_threads = false, .sync = false},
        clock, logger);
  }

  /// A visit of ana.
  static void append(MemoryLog& log, std::string_view ip) {
    const std::string visit = fmt::format(R"({{"user_id": "ana", "ip": "{}"}})", ip);
    REQUIRE(log.create_topic("visits", 1).has_value());
    REQUIRE(log.append(std::vector{NewRecord{.topic = "visits", .value = visit}}).has_value());
  }

  /// Works through what is there and commits it; false: the task has halted.
  static bool work(Task& task) {
    while (task.turn() == Task::Turn::worked) {
    }
    return task.commit_and_wait();
  }
};

}  // namespace weir::host::test
