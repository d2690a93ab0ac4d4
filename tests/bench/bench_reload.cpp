// How long tasks stand still when another build of their plugin takes over, while records flow.
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/app.hpp"
#include "bench/child.hpp"
#include "bench/line_case.hpp"
#include "bench/run.hpp"
#include "log/memory_log.hpp"

namespace weir::host::bench {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::int32_t partitions = 4;
constexpr std::uint64_t chunk = 1'000;
constexpr std::uint64_t backlog_max = 20'000;

std::string yaml() {
  return fmt::format(
      "app: bench\n"
      "plugins: [\"{}/meter_1.so\"]\n"
      "sources: {{readings: {{topic: readings, format: json, partitions: {}}}}}\n"
      "resolvers: {{measure: {{use: meter/measure, from: readings}}}}\n",
      WEIR_BENCH_METERS, partitions);
}

/// A host in this process over a log in memory, whose tasks never run out of records.
class Stream {
 public:
  Stream(const fs::path& state, std::uint64_t key_count)
      : key_count_(key_count), config_(or_fail(Config::parse(yaml(), "app of the bench"))) {
    or_fail(log_.create_topic("readings", partitions));
    app_ = or_fail(App::open(config_, {.state = state, .log = &log_}, clock_, logger_));
    Reloader::Options options;
    options.probation.time_ms = 0;
    reloader_ = or_fail(app_->open_reloader(std::move(options)));
    app_->start();
    feeder_ = std::thread([this] { feed(); });
  }
  ~Stream() {
    stopping_ = true;
    feeder_.join();
    app_->request_stop();
    app_->join();
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  std::uint64_t handled() const { return app_->progress().counters.records; }
  std::uint64_t live() const { return app_->progress().live_states; }

  /// Until every key is live, and nothing is left of the build before.
  void settle() {
    while (live() < key_count_) std::this_thread::sleep_for(5ms);
    while (reloader_->turn() && reloader_->loaded() > 1) std::this_thread::sleep_for(1ms);
  }
  ReloadReport reload_to(int build) {
    ReloadRequest request;
    request.file = fmt::format("{}/meter_{}.so", WEIR_BENCH_METERS, build);
    const ReloadAnswer answer = reloader_->run(request);
    if (const auto* refusal = std::get_if<Refusal>(&answer)) {
      fail(error(Errc::internal, "reload to build {}: {}", build, refusal->text));
    }
    return std::get<ReloadReport>(answer);
  }

 private:
  void feed() {
    std::uint64_t sent = 0;
    while (!stopping_) {
      if (sent > handled() + backlog_max) {
        std::this_thread::sleep_for(1ms);
        continue;
      }
      std::vector<std::string> keys, values;
      for (std::uint64_t i = 0; i < chunk; ++i, ++sent) {
        keys.push_back(fmt::format("device-{}", sent % key_count_));
        values.push_back(fmt::format(R"({{"device":"{}","amount":"1"}})", keys.back()));
      }
      std::vector<NewRecord> records;
      for (std::uint64_t i = 0; i < chunk; ++i) {
        NewRecord& record = records.emplace_back();
        record.topic = "readings";
        record.partition = partition_of(Partitioner::murmur2, keys[i], partitions);
        record.key = keys[i];
        record.value = values[i];
      }
      or_fail(log_.append(records));
    }
  }

  std::uint64_t key_count_;
  Config config_;
  SystemClock clock_;
  Logger logger_{Logger::Format::human, LogLevel::error};
  MemoryLog log_;
  std::unique_ptr<App> app_;
  Reloader* reloader_ = nullptr;
  std::atomic<bool> stopping_{false};
  std::thread feeder_;
};

struct Spread {
  double p50 = 0, p99 = 0, most = 0;
};

Spread spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))];
  };
  return {at(0.5), at(0.99), values.back()};
}

struct Measured {
  Spread pause_us;    ///< the longest of all tasks, beyond the commit
  Spread request_ms;  ///< until all tasks have gone over
  double dip = 0;     ///< records in the 100 ms after a reload, divided by those in 100 ms before
};

Measured measure(const fs::path& state, std::uint64_t key_count, int reloads) {
  Stream stream(state, key_count);
  std::vector<double> pauses, requests, dips;
  const auto records_in_100_ms = [&] {
    const std::uint64_t before = stream.handled();
    std::this_thread::sleep_for(100ms);
    return static_cast<double>(stream.handled() - before);
  };
  for (int i = 0; i < reloads; ++i) {
    stream.settle();
    const double warm = records_in_100_ms();
    const std::int64_t begun = wall_ns();
    const ReloadReport report = stream.reload_to(2 + i % 7);
    requests.push_back(static_cast<double>(wall_ns() - begun) / 1e6);
    pauses.push_back(static_cast<double>(report.longest_pause_us));
    dips.push_back(records_in_100_ms() / warm);
  }
  return {spread(pauses), spread(requests), spread(dips).p50};
}

int run(int reloads) {
  char directory[] = "/tmp/weir-bench-XXXXXX";
  if (mkdtemp(directory) == nullptr) return 1;
  fmt::print("{} reloads each, {} tasks on one worker, records without end\n\n", reloads,
             partitions);
  fmt::print("{:<10} | {:>26} | {:>26} | {}\n", "", "longest pause, us", "request to done, ms",
             "records/s after");
  fmt::print("{:<10} | {:>8} {:>8} {:>8} | {:>8} {:>8} {:>8} |\n", "live keys", "p50", "p99",
             "most", "p50", "p99", "most");
  for (const std::uint64_t key_count : {1'000, 100'000}) {
    const fs::path state = fs::path(directory) / std::to_string(key_count);
    const Measured took = in_child([&] { return measure(state, key_count, reloads); });
    fmt::print("{:<10} | {:>8.0f} {:>8.0f} {:>8.0f} | {:>8.1f} {:>8.1f} {:>8.1f} | {:.2f}\n",
               key_count, took.pause_us.p50, took.pause_us.p99, took.pause_us.most,
               took.request_ms.p50, took.request_ms.p99, took.request_ms.most, took.dip);
    std::fflush(stdout);
  }
  fs::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace weir::host::bench

int main(int argc, char** argv) {
  CLI::App app{"how long tasks stand still when another build of their plugin takes over"};
  app.allow_extras();  // the options of other benches
  int reloads = 100;
  app.add_option("--reloads", reloads, "of each kind")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return weir::host::bench::run(reloads);
}
