// Records per second through the whole line, log to publish, beside a loop written by hand with the
// same durability over the same log; and what each step costs. README.md says how to read it.
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/child.hpp"
#include "bench/run.hpp"

namespace weir::host::bench {

namespace {

std::vector<Case> all_cases() {
  using enum Case::Work;
  using enum Format::Kind;
  return {{count, protobuf, false, 100},      {count, protobuf, false, 1000},
          {count, protobuf, true, 100},       {count, json, false, 100},
          {count, json, false, 1000},         {count, json, true, 100},
          {unique_ips, protobuf, false, 100}, {unique_ips, protobuf, true, 100},
          {unique_ips, json, true, 100}};
}

struct Options {
  Setting setting;
  std::size_t repetitions = 3;
  std::string match;
  std::string only;
  std::string json;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

struct Runs {
  std::vector<Measured> host;
  std::vector<Measured> hand;
  PluginShare plugin;

  static double of(const std::vector<Measured>& runs,
                   const std::function<double(const Measured&)>& value) {
    std::vector<double> values;
    for (const Measured& run : runs) values.push_back(value(run));
    return median(std::move(values));
  }
};

double rate(const Measured& run) { return static_cast<double>(run.records) / run.wall_s; }
double cpu_ns(const Measured& run) { return run.cpu_s * 1e9 / static_cast<double>(run.records); }

Measured one_run(const Options& options, const Case& one, int number,
                 Measured (*run)(const Setting&, const Case&, int)) {
  const Measured measured = in_child([&] { return run(options.setting, one, number); });
  std::filesystem::remove_all(options.setting.directory / fmt::format("state-{}", number));
  return measured;
}

Runs measure(const Options& options, const Case& one, int& number) {
  Runs runs;
  for (std::size_t i = 0; i < options.repetitions; ++i) {
    if (options.only != "hand") {
      runs.host.push_back(one_run(options, one, number++, run_host));
    }
    if (options.only != "host") {
      runs.hand.push_back(one_run(options, one, number++, run_by_hand));
    }
    if (options.only.empty() && runs.host.back().checksum != runs.hand.back().checksum) {
      fail(error(Errc::internal, "{}: the host's States sum up to {}, those by hand to {}",
                 one.name(), runs.host.back().checksum, runs.hand.back().checksum));
    }
  }
  if (!runs.host.empty()) {
    runs.plugin = in_child([&] {
      return run_plugin_alone(options.setting, one,
                              runs.host.front().records / runs.host.front().commits);
    });
  }
  return runs;
}

void print_speed_header() {
  fmt::print("{:<30} | {:>9} {:>9} {:>6} | {:>8} {:>8} {:>6} | {:>7} {:>7}\n", "", "host",
             "by hand", "", "host", "by hand", "", "host", "by hand");
  fmt::print("{:<30} | {:>9} {:>9} {:>6} | {:>8} {:>8} {:>6} | {:>15}\n", "case", "krec/s",
             "krec/s", "ratio", "cpu ns", "cpu ns", "ratio", "commits");
}

nlohmann::json print_speed(const Case& one, const Runs& runs) {
  const double host_rate = Runs::of(runs.host, rate);
  const double hand_rate = Runs::of(runs.hand, rate);
  const double host_cpu = Runs::of(runs.host, cpu_ns);
  const double hand_cpu = Runs::of(runs.hand, cpu_ns);
  fmt::print("{:<30} | {:>9.0f} {:>9.0f} {:>6.2f} | {:>8.0f} {:>8.0f} {:>6.2f} | {:>7} {:>7}\n",
             one.name(), host_rate / 1e3, hand_rate / 1e3, host_rate / hand_rate, host_cpu,
             hand_cpu, host_cpu / hand_cpu, runs.host.back().commits, runs.hand.back().commits);
  std::fflush(stdout);
  return {{"case", one.name()},
          {"host", {{"records_per_s", host_rate}, {"records_per_cpu_s", 1e9 / host_cpu}}},
          {"by_hand", {{"records_per_s", hand_rate}, {"records_per_cpu_s", 1e9 / hand_cpu}}},
          {"rate_ratio", host_rate / hand_rate},
          {"cpu_ratio", host_cpu / hand_cpu}};
}

/// The host's steps, and its own part: everything but log, decode and plugin.
nlohmann::json print_steps(const Case& one, const Runs& runs) {
  using Steps = Measured::Steps;
  const auto step = [&](double Steps::*member) {
    return Runs::of(runs.host, [member](const Measured& run) { return run.steps.*member; });
  };
  const PluginShare& plugin = runs.plugin;
  const double prepare = step(&Steps::prepare) - plugin.prepare;
  const double resolve = step(&Steps::resolve) - plugin.resolve - plugin.load;
  const double save = step(&Steps::save) - plugin.save;
  const double commit = step(&Steps::commit);
  const double submit = step(&Steps::submit);
  const double publisher = step(&Steps::publisher);
  const double in_plugin = plugin.prepare + plugin.resolve + plugin.load + plugin.save;
  const double own = prepare + resolve + save + submit;
  fmt::print(
      "{:<30} | {:>5.0f} {:>6.0f} | {:>6.0f} | {:>7.0f} {:>7.0f} {:>5.0f} {:>6.0f} {:>6.0f} | "
      "{:>6.0f} {:>7.0f}\n",
      one.name(), step(&Steps::log), step(&Steps::decode), in_plugin, prepare, resolve, save,
      submit, own, commit, publisher);
  return {
      {"log", step(&Steps::log)},
      {"decode", step(&Steps::decode)},
      {"plugin",
       {{"prepare", plugin.prepare},
        {"resolve", plugin.resolve},
        {"load", plugin.load},
        {"save", plugin.save}}},
      {"host", {{"prepare", prepare}, {"resolve", resolve}, {"save", save}, {"submit", submit}}},
      {"host_total", own},
      {"commit", commit},
      {"publisher", publisher}};
}

void print_steps_header() {
  fmt::print("\nCPU nanoseconds a record\n{:<30} | {:>5} {:>6} | {:>6} | {:<34} | {:<14}\n", "", "",
             "", "", "the host's own part of", "LMDB, publish");
  fmt::print("{:<30} | {:>5} {:>6} | {:>6} | {:>7} {:>7} {:>5} {:>6} {:>6} | {:>6} {:>7}\n", "case",
             "log", "decode", "plugin", "prepare", "resolve", "save", "submit", "sum", "commit",
             "publish");
}

int run(const Options& options) {
  std::vector<Case> cases = all_cases();
  std::erase_if(
      cases, [&](const Case& one) { return one.name().find(options.match) == std::string::npos; });
  for (const Case& one : cases) {
    const double mean = in_child([&] { return fill(options.setting, one); });
    fmt::print("{}: {} records with values of {:.0f} B\n", one.topic(),
               options.setting.record_count, mean);
  }
  fmt::print("{} keys; medians of {} runs each, alternating\n\n", options.setting.key_count,
             options.repetitions);

  nlohmann::json report = nlohmann::json::array();
  std::vector<Runs> all;
  // The groups of several benches in one directory must not meet.
  int number = static_cast<int>(getpid()) % 100'000 * 1000;
  if (options.only.empty()) print_speed_header();
  for (const Case& one : cases) {
    all.push_back(measure(options, one, number));
    if (options.only.empty()) report.push_back(print_speed(one, all.back()));
  }
  if (options.only != "hand") {
    print_steps_header();
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const nlohmann::json steps = print_steps(cases[i], all[i]);
      if (options.only.empty()) report[i]["steps_cpu_ns"] = steps;
    }
  }
  if (!options.json.empty()) std::ofstream(options.json) << report.dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace weir::host::bench

int main(int argc, char** argv) {
  using namespace weir::host::bench;
  Options options;
  CLI::App app{"records per second through the whole line, beside a loop written by hand"};
  app.allow_extras();  // the options of google-benchmark, which go to every bench
  std::string directory;
  app.add_option("--directory", directory, "keep the log here and use it again");
  app.add_option("--records", options.setting.record_count, "per topic")->capture_default_str();
  app.add_option("--keys", options.setting.key_count, "different keys")->capture_default_str();
  app.add_option("--seed", options.setting.seed, "of the records")->capture_default_str();
  app.add_option("--repetitions", options.repetitions, "runs of each side")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--commit-records", options.setting.commit_records,
                 "commit after so many records instead of after a time");
  app.add_option("--case", options.match, "only cases whose name contains this");
  app.add_option("--only", options.only, "one side, for a profiler")
      ->check(CLI::IsMember({"host", "hand"}));
  app.add_option("--json", options.json, "write the numbers to this file as well");
  CLI11_PARSE(app, argc, argv);

  const bool keep = !directory.empty();
  if (!keep) {
    directory = (std::filesystem::temp_directory_path() / "weir-bench-XXXXXX").string();
    if (mkdtemp(directory.data()) == nullptr) return 1;
  }
  options.setting.directory = directory;
  std::filesystem::create_directories(directory);
  const int code = run(options);
  if (!keep) std::filesystem::remove_all(directory);
  return code;
}
