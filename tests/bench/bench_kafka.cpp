// Records per second through the whole line on a real Kafka, beside librdkafka alone and beside a
// program written by hand, all on the same topic. README.md says how to read it.
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/child.hpp"
#include "bench/kafka_line.hpp"

namespace weir::host::bench {

namespace {

struct Options {
  KafkaSetting setting;
  std::size_t repetitions = 3;
  std::string match;
  std::string only;
  std::string json;
  bool large = false;
  std::uint64_t latency_rate = 0;
};

std::vector<KafkaCase> all_cases(bool large) {
  using enum Case::Work;
  using enum Format::Kind;
  const Case count_protobuf{count, protobuf, false, 1000};
  const Case count_json{count, json, false, 1000};
  const Case set_protobuf{unique_ips, protobuf, false, 1000};
  const auto every = [](Case line, std::int64_t commit_ms) {
    line.commit_ms = commit_ms;
    return line;
  };
  const auto telling = [](Case line) {
    line.features = true;
    return line;
  };
  std::vector<KafkaCase> cases{{count_protobuf},
                               {every(count_protobuf, 100)},
                               {count_json},
                               {every(count_json, 100)},
                               {set_protobuf},
                               {telling(count_protobuf)},
                               {telling(count_protobuf), 100'000, 1, /*exactly_once=*/false},
                               {telling(every(count_protobuf, 100))},
                               {telling(count_json)},
                               {telling(set_protobuf)},
                               {count_protobuf, 1'000},
                               {count_protobuf, 100'000, 2},
                               {telling(count_protobuf), 100'000, 2}};
  if (large) {
    cases.push_back({count_protobuf, 5'000'000});
    cases.push_back({count_json, 5'000'000});
    cases.push_back({set_protobuf, 5'000'000});
    cases.push_back({telling(count_protobuf), 5'000'000});
  }
  return cases;
}

using Run = KafkaMeasured (*)(const KafkaSetting&, const KafkaCase&, int);

struct Side {
  const char* name;
  Run run;
  std::vector<KafkaMeasured> runs = {};

  double median(const std::function<double(const KafkaMeasured&)>& value) const {
    std::vector<double> values;
    for (const KafkaMeasured& run_ : runs) values.push_back(value(run_));
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[values.size() / 2];
  }
  double rate() const {
    return median([](const auto& m) { return static_cast<double>(m.records) / m.wall_s; });
  }
  double cpu_ns() const {
    return median([](const auto& m) { return m.cpu_s * 1e9 / static_cast<double>(m.records); });
  }
  double resident_mb() const {
    return median([](const auto& m) { return static_cast<double>(m.resident_bytes) / 1e6; });
  }
};

void print_header() {
  fmt::print("{:<44} | {:>7} {:>7} {:>7} | {:>5} {:>5} | {:>5} {:>5} {:>5} | {:>5} {:>5}\n", "",
             "host", "by hand", "bare", "host/", "host/", "host", "hand", "bare", "host", "hand");
  fmt::print("{:<44} | {:>23} | {:>5} {:>5} | {:>17} | {:>11}\n", "case", "krec/s", "hand", "bare",
             "cpu ns a record", "resident MB");
}

nlohmann::json measure(const Options& options, const KafkaCase& one, int& number) {
  std::vector<Side> sides{
      {"host", run_kafka_host}, {"by hand", run_kafka_by_hand}, {"bare", run_kafka_bare}};
  for (std::size_t i = 0; i < options.repetitions; ++i) {
    for (Side& side : sides) {
      if (!options.only.empty() && options.only != side.name) continue;
      const int mine = number++;
      side.runs.push_back(in_child([&] { return side.run(options.setting, one, mine); }));
      for (const auto& entry : std::filesystem::directory_iterator(options.setting.directory)) {
        std::filesystem::remove_all(entry.path());
      }
    }
    if (options.only.empty() && sides[0].runs.back().checksum != sides[1].runs.back().checksum) {
      fail(error(Errc::internal, "{}: the host's States sum up to {}, those by hand to {}",
                 one.name(), sides[0].runs.back().checksum, sides[1].runs.back().checksum));
    }
  }
  const Side& host = sides[0];
  const Side& hand = sides[1];
  const Side& bare = sides[2];
  fmt::print(
      "{:<44} | {:>7.0f} {:>7.0f} {:>7.0f} | {:>5.2f} {:>5.2f} | {:>5.0f} {:>5.0f} {:>5.0f} | "
      "{:>5.0f} {:>5.0f}\n",
      one.name(), host.rate() / 1e3, hand.rate() / 1e3, bare.rate() / 1e3,
      host.rate() / hand.rate(), host.rate() / bare.rate(), host.cpu_ns(), hand.cpu_ns(),
      bare.cpu_ns(), host.resident_mb(), hand.resident_mb());
  std::fflush(stdout);
  nlohmann::json report{{"case", one.name()}};
  for (const Side& side : sides) {
    report[side.name] = {{"records_per_s", side.rate()},
                         {"cpu_ns", side.cpu_ns()},
                         {"resident_mb", side.resident_mb()}};
  }
  return report;
}

/// Count per key with a feature each, at an even pace.
int latencies(const Options& options) {
  int number = static_cast<int>(getpid()) % 100'000 * 1000;
  fmt::print("{} records/s over {} partitions; ms from append to a visible feature\n\n",
             options.latency_rate, options.setting.partition_count);
  fmt::print("{:<8} {:<8} | {:>6} {:>6} {:>6}\n", "commit", "", "p50", "p99", "most");
  constexpr std::pair<const char*, StartLine> sides[] = {{"host", start_host},
                                                         {"by hand", start_by_hand}};
  for (const std::int64_t commit_ms : {20, 100, 1000}) {
    for (std::size_t i = 0; i < options.repetitions; ++i) {
      for (const auto& [name, start] : sides) {
        if (!options.only.empty() && options.only != name) continue;
        KafkaCase one;
        one.line = {Case::Work::count, Format::Kind::protobuf, true, commit_ms};
        const int mine = number++;
        const KafkaLatency took = in_child([&, start = start] {
          return run_kafka_latency(options.setting, one, start, options.latency_rate, mine);
        });
        fmt::print("{:>5} ms {:<8} | {:>6} {:>6} {:>6}\n", commit_ms, name, took.p50, took.p99,
                   took.most);
        std::fflush(stdout);
      }
    }
  }
  return 0;
}

int run(const Options& options) {
  if (options.latency_rate > 0) return latencies(options);
  std::vector<KafkaCase> cases = all_cases(options.large);
  std::erase_if(cases, [&](const KafkaCase& one) {
    return one.name().find(options.match) == std::string::npos;
  });
  for (const KafkaCase& one : cases) {
    in_child([&] { return fill_kafka(options.setting, one); });
  }
  fmt::print("{} records in {} partitions; medians of {} runs each, alternating\n\n",
             options.setting.record_count, options.setting.partition_count, options.repetitions);
  print_header();
  nlohmann::json report = nlohmann::json::array();
  // Groups and topics of several benches on one broker must not meet.
  int number = static_cast<int>(getpid()) % 100'000 * 1000;
  for (const KafkaCase& one : cases) report.push_back(measure(options, one, number));
  if (!options.json.empty()) std::ofstream(options.json) << report.dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace weir::host::bench

int main(int argc, char** argv) {
  using namespace weir::host::bench;
  Options options;
  CLI::App app{"records per second on a real Kafka, beside librdkafka and a program by hand"};
  app.allow_extras();  // the options of other benches
  app.add_option("--brokers", options.setting.brokers, "bootstrap servers")
      ->envname("WEIR_KAFKA")
      ->required();
  app.add_option("--records", options.setting.record_count, "per topic")->capture_default_str();
  app.add_option("--partitions", options.setting.partition_count, "per topic")
      ->capture_default_str();
  app.add_option("--repetitions", options.repetitions, "runs of each side")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--case", options.match, "only cases whose name contains this");
  app.add_option("--only", options.only, "one side, for a profiler")
      ->check(CLI::IsMember({"host", "by hand", "bare"}));
  app.add_flag("--large", options.large, "also the cases with 5 M keys");
  app.add_option("--latency", options.latency_rate,
                 "instead: ms from append to visible feature at so many records/s");
  app.add_option("--json", options.json, "write the table as JSON too");
  CLI11_PARSE(app, argc, argv);

  char directory[] = "/tmp/weir-bench-XXXXXX";
  if (mkdtemp(directory) == nullptr) return 1;
  options.setting.directory = directory;
  const int code = run(options);
  std::filesystem::remove_all(directory);
  return code;
}
