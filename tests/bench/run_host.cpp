#include <ctime>

#include <array>
#include <atomic>
#include <map>
#include <string>

#include "app/app.hpp"
#include "bench/run.hpp"
#include "commit/state_reader.hpp"
#include "line.pb.h"
#include "unique_ips.pb.h"

namespace weir::host::bench {

namespace {

std::int64_t now_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string yaml(const Setting& setting, const Case& one, int number) {
  const std::string commit =
      setting.commit_records == 0
          ? fmt::format("interval: {}ms, records: 100000000, bytes: 1GiB", one.commit_ms)
          : fmt::format("interval: 1h, records: {}", setting.commit_records);
  std::string text = fmt::format(
      "app: bench-{0}\n"
      "plugins: [\"{1}\"]\n"
      "state: {{commit: {{{2}}}}}\n"
      "sources:\n  input: {{topic: {3}, format: {4}}}\n"
      "resolvers:\n  work: {{use: {5}/{6}, from: input{7}}}\n",
      number, plugin_path(one).string(), commit, one.topic(),
      one.format == Format::Kind::json ? "json" : "protobuf", one.plugin(), one.resolver(),
      one.features ? ", to: out" : "");
  if (one.features) text += fmt::format("sinks:\n  out: {{topic: out-{}}}\n", number);
  return text;
}

/// CPU time between the named steps, as the path itself announces them: once a fetch or a commit,
/// so that looking at the clock costs the records nothing.
class StepClock {
 public:
  void operator()(std::string_view step) {
    thread_local std::int64_t last = thread_cpu_ns();
    const std::int64_t now = thread_cpu_ns();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == step) spent_[i] += now - last;
    }
    last = now;
  }
  double of(std::string_view step, std::uint64_t records) const {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == step) return static_cast<double>(spent_[i]) / static_cast<double>(records);
    }
    return 0;
  }

 private:
  static constexpr std::array<std::string_view, 9> names{
      "fetch", "decode", "prepare", "resolve", "save", "commit", "submit", "publish", "sinks"};
  std::array<std::atomic<std::int64_t>, names.size()> spent_{};
};

}  // namespace

std::uint64_t sum_of_states(const std::filesystem::path& state, Case::Work work) {
  const auto reader = or_fail(StateReader::open(state));
  std::uint64_t sum = 0;
  or_fail(reader->list("work", "", [&](const StateReader::Entry& entry) {
    if (work == Case::Work::count) {
      line::Clicks clicks;
      clicks.ParseFromString(entry.bytes);
      sum += static_cast<std::uint64_t>(clicks.count());
    } else {
      unique_ips::Ips ips;
      ips.ParseFromString(entry.bytes);
      sum += static_cast<std::uint64_t>(ips.seen_size());
    }
    return true;
  }));
  return sum;
}

std::int64_t thread_cpu_ns() { return now_ns(CLOCK_THREAD_CPUTIME_ID); }
std::int64_t process_cpu_ns() { return now_ns(CLOCK_PROCESS_CPUTIME_ID); }
std::int64_t wall_ns() { return now_ns(CLOCK_MONOTONIC); }

Measured run_host(const Setting& setting, const Case& one, int number) {
  const auto log = open_log(setting);
  const Config config = or_fail(Config::parse(yaml(setting, one, number), "app of the bench"));
  SystemClock clock;
  Logger logger(Logger::Format::human, LogLevel::warn);
  StepClock steps;
  const std::filesystem::path state = setting.directory / fmt::format("state-{}", number);
  auto app = or_fail(App::open(
      config, {.state = state, .log = log.get(), .until_end = true, .after_step = std::ref(steps)},
      clock, logger));

  const std::int64_t wall = wall_ns();
  const std::int64_t cpu = process_cpu_ns();
  app->start();
  app->join();
  Measured measured;
  measured.wall_s = static_cast<double>(wall_ns() - wall) / 1e9;
  measured.cpu_s = static_cast<double>(process_cpu_ns() - cpu) / 1e9;

  if (const Error* halt = app->first_halt(); halt != nullptr) fail(*halt);
  const Counters counters = app->progress().counters;
  measured.records = counters.records;
  measured.commits = counters.commits;
  const auto of = [&](std::string_view step) { return steps.of(step, measured.records); };
  measured.steps = {of("fetch"), of("decode"), of("prepare"), of("resolve"),
                    of("save"),  of("commit"), of("submit"),  of("publish") + of("sinks")};
  app.reset();
  measured.checksum = sum_of_states(state, one.work);
  return measured;
}

}  // namespace weir::host::bench
