#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "app/app.hpp"
#include "log/memory_log.hpp"
#include "meter.pb.h"
#include "resolve/plugin_copy.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {

namespace {

namespace fs = std::filesystem;

fs::path build(int number) { return fs::path(WEIR_METERS) / fmt::format("meter_{}.so", number); }
fs::path build(std::string_view name) {
  return fs::path(WEIR_METERS) / fmt::format("meter_{}.so", name);
}

constexpr std::int32_t partitions = 3;

/// The meter's app in this process, on a log in memory; this thread turns the tasks.
struct Meter {
  weir::test::TempDir directory;
  fs::path file = directory / "meter.so";
  Config config =
      *Config::parse(fmt::format(R"(
app: meter
plugins: [{}]
sources:
  readings: {{topic: readings, partitions: {}}}
resolvers:
  measure: {{use: meter/measure, from: readings, to: {{"*": measured}}}}
sinks:
  measured: {{topic: measured, partitions: {}}}
)",
                                 (directory / "meter.so").string(), partitions, partitions),
                     "app.yaml");
  ManualClock clock{1'000};
  Logger logger{Logger::Format::human, LogLevel::error};
  MemoryLog log;
  std::unique_ptr<App> app;
  Reloader* reloader = nullptr;
  std::map<std::string, std::vector<std::int64_t>> amounts;  // by device, in order
  std::size_t records = 0;
  std::function<void()> while_waiting = [this] { turn(); };
  std::function<void(std::string_view)> at_step;
  ProbationLimits probation;
  std::uint64_t pinned_max = 16;

  Meter() {
    install(1);
    open();
  }
  void install(int number) {
    fs::copy_file(build(number), file, fs::copy_options::overwrite_existing);
  }
  void open() {
    auto opened = App::open(config,
                            {.state = directory / "state",
                             .log = &log,
                             .own_threads = false,
                             .sync = false,
                             .after_step =
                                 [this](std::string_view step) {
                                   if (at_step) at_step(step);
                                 }},
                            clock, logger);
    REQUIRE_MESSAGE(opened, opened.error().message);
    app = *std::move(opened);
    auto reloads = app->open_reloader({.state = {},
                                       .probation = probation,
                                       .pinned_max = pinned_max,
                                       .crash_of = {},
                                       .probe_command = {},
                                       .turn_tasks = [this] { while_waiting(); },
                                       .after_step = {}});
    REQUIRE_MESSAGE(reloads, reloads.error().message);
    reloader = *reloads;
  }
  void turn() {
    for (Task* task : app->tasks()) task->turn();
  }
  void work() {
    for (bool worked = true; worked;) {
      worked = false;
      for (Task* task : app->tasks()) worked |= task->turn() == Task::Turn::worked;
    }
  }
  void append(int device, std::int64_t amount, std::string_view action = "") {
    const std::string key = fmt::format("device-{}", device);
    const std::string value =
        fmt::format(R"({{"device": "{}", "amount": "{}", "action": "{}"}})", key, amount, action);
    REQUIRE(log.append(std::vector{NewRecord{
                           .topic = "readings",
                           .partition = partition_of(Partitioner::murmur2, key, partitions),
                           .key = key,
                           .value = value}})
                .has_value());
    if (action.empty()) amounts[key].push_back(amount);
    ++records;
  }
  void append_some(std::mt19937& random, int count, int devices = 40) {
    for (int i = 0; i < count; ++i) {
      append(static_cast<int>(random() % static_cast<unsigned>(devices)),
             static_cast<std::int64_t>(random() % 1000));
    }
  }
  ReloadAnswer reload(const fs::path& to) {
    ReloadRequest request;
    request.file = to;
    request.timeout = std::chrono::milliseconds(2000);
    return reloader->run(request);
  }
  void finish() {
    work();
    for (Task* task : app->tasks()) REQUIRE(task->commit_and_wait());
  }
  std::vector<meter::Measured> features() {
    std::vector<meter::Measured> out;
    for (std::int32_t partition = 0; partition < partitions; ++partition) {
      const TopicPartition output{"measured", partition};
      const auto reader = *log.open_reader(output, 0);
      while (true) {
        const auto fetched = *reader->fetch({});
        if (fetched.empty()) break;
        for (const Record& record : fetched) {
          REQUIRE(out.emplace_back().ParseFromString(std::string(*record.value)));
        }
      }
    }
    return out;
  }
  meter::Total total(const std::string& device) {
    for (Task* task : app->tasks()) {
      const auto bytes = *task->state("measure", device);
      meter::Total total;
      if (bytes && total.ParseFromString(*bytes)) return total;
    }
    return {};
  }
  /// What must have come out, from the input and the builds that the features name alone.
  void check_all_is_exact() {
    finish();
    std::map<std::string, std::vector<meter::Measured>> by_device;
    for (const meter::Measured& one : features()) by_device[one.device()].push_back(one);
    REQUIRE(by_device.size() == amounts.size());
    for (const auto& [device, given] : amounts) {
      CAPTURE(device);
      const auto& made = by_device[device];
      REQUIRE(made.size() == given.size());
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < given.size(); ++i) {
        sum += given[i] * made[i].build();
        REQUIRE(made[i].amount() == given[i]);
        REQUIRE(made[i].count() == static_cast<std::int64_t>(i + 1));
        REQUIRE(made[i].sum() == sum);
      }
      CHECK(total(device).count() == static_cast<std::int64_t>(given.size()));
      CHECK(total(device).sum() == sum);
    }
  }
  /// How many features each build has made.
  std::map<std::int64_t, std::size_t> builds() {
    std::map<std::int64_t, std::size_t> out;
    for (const meter::Measured& one : features()) ++out[one.build()];
    return out;
  }
  fs::path running_copy() { return app->plugins().front()->copy_path(); }
};

const ReloadReport& report_of(const ReloadAnswer& answer) {
  const auto* refusal = std::get_if<Refusal>(&answer);
  REQUIRE_MESSAGE(refusal == nullptr, refusal->text);
  return std::get<ReloadReport>(answer);
}
const Refusal& refusal_of(const ReloadAnswer& answer) {
  REQUIRE(std::holds_alternative<Refusal>(answer));
  return std::get<Refusal>(answer);
}

}  // namespace

TEST_CASE("reload: records before the swap meet the old build and those after it the new one") {
  Meter meter;
  std::mt19937 random(7);
  meter.append_some(random, 5000);
  meter.turn();  // in the middle: the first fetch is handled and not committed

  const ReloadAnswer answer = meter.reload(build(2));

  const ReloadReport& report = report_of(answer);
  CHECK(report.tasks == partitions);
  CHECK(report.before.version() == "1.0");
  CHECK(report.after.version() == "2.0");
  CHECK(report.state_changes == std::vector<std::string>{"+ meter.Total.peak (field 3, int64)"});
  meter.append_some(random, 2000);
  meter.check_all_is_exact();
  const auto builds = meter.builds();
  REQUIRE(builds.size() == 2);
  CHECK(builds.at(1) >= 1000);
  CHECK(builds.at(2) >= 2000);
}

TEST_CASE("reload: every one of many swaps is exact and every build before is unmapped") {
  Meter meter;
  std::mt19937 random(11);
  std::vector<fs::path> copies{meter.running_copy()};
  for (int round = 0; round < 60; ++round) {
    meter.append_some(random, 1 + static_cast<int>(random() % 400));
    for (auto turns = random() % 3; turns > 0; --turns) meter.turn();
    const int next = 1 + (round + 1) % 8;
    CHECK(report_of(meter.reload(build(next))).after.version() == fmt::format("{}.0", next));
    copies.push_back(meter.running_copy());
    meter.reloader->turn();
  }
  meter.append_some(random, 100);
  meter.check_all_is_exact();

  while (meter.reloader->turn()) meter.turn();
  CHECK(meter.reloader->loaded() == 1);
  CHECK(meter.reloader->pinned() == 0);
  for (const fs::path& copy : copies) CHECK(is_mapped(copy) == (copy == meter.running_copy()));
}

TEST_CASE("reload: States of before are freed a portion at a time while records go on") {
  Meter meter;
  for (int device = 0; device < 6000; ++device) meter.append(device, 1);
  meter.finish();
  const fs::path copy = meter.running_copy();

  report_of(meter.reload(build(2)));

  meter.reloader->turn();
  CHECK(is_mapped(copy));  // most of its 6,000 States are still there
  CHECK(meter.reloader->loaded() == 2);
  meter.append(1, 5);
  int turns = 0;
  for (; meter.reloader->turn(); ++turns) meter.turn();
  CHECK(turns >= 5);
  CHECK_FALSE(is_mapped(copy));
  meter.check_all_is_exact();
}

TEST_CASE("reload: where one task cannot go over all stay") {
  Meter meter;
  std::mt19937 random(13);
  meter.append_some(random, 3000);
  meter.finish();
  const fs::path copy = meter.running_copy();

  SUBCASE("a task has halted") {
    meter.append(1, 1, "fatal");
    meter.work();
    const ReloadAnswer answer = meter.reload(build(2));
    const Refusal& refusal = refusal_of(answer);
    CHECK(refusal.step == ReloadStep::swap);
    CHECK(refusal.code == ReloadCode::task_halted);
  }
  SUBCASE("a task does not come to a commit") {
    Task* const stuck = meter.app->tasks().back();
    meter.while_waiting = [&] {
      for (Task* task : meter.app->tasks()) {
        if (task != stuck) task->turn();
      }
    };
    ReloadRequest request;
    request.file = build(2);
    request.timeout = std::chrono::milliseconds(50);
    const ReloadAnswer answer = meter.reloader->run(request);
    const Refusal& refusal = refusal_of(answer);
    CHECK(refusal.step == ReloadStep::swap);
    CHECK(refusal.code == ReloadCode::timeout);
    meter.append_some(random, 1000);
    meter.while_waiting = [&] { meter.turn(); };
    meter.check_all_is_exact();
    CHECK(meter.builds().size() == 1);
    // The next one finds nothing in its way.
    CHECK(report_of(meter.reload(build(2))).tasks == partitions);
    meter.append_some(random, 1000);
    meter.check_all_is_exact();
    return;
  }
  CHECK(meter.running_copy() == copy);
  CHECK(is_mapped(copy));
  meter.append_some(random, 500);
  meter.work();
  while (meter.reloader->turn()) meter.turn();
  CHECK(meter.builds().size() == 1);
  CHECK(meter.reloader->loaded() == 1);
}

TEST_CASE("reload: what does not fit is refused with step and code and the build runs on") {
  Meter meter;
  std::mt19937 random(17);
  meter.append_some(random, 1000);
  meter.finish();
  const fs::path copy = meter.running_copy();
  std::ofstream(meter.directory / "text.so") << "not a library";
  struct Case {
    fs::path file;
    ReloadStep step;
    ReloadCode code;
    std::string_view text;
  };
  const Case cases[] = {
      {meter.directory / "nowhere.so", ReloadStep::stage, ReloadCode::unreadable, "cannot be read"},
      {meter.directory / "text.so", ReloadStep::lint, ReloadCode::file, "it is no ELF file"},
      {build("of_others"), ReloadStep::fit, ReloadCode::other_plugin, "is plugin barometer"},
      {build("renamed"), ReloadStep::fit, ReloadCode::missing_resolver,
       "plugin meter has no resolver \"measure\""},
      {build("changed_state"), ReloadStep::schema, ReloadCode::state_schema,
       "meter.Total.sum (field 2) was int64, is string"},
      {build("stateless"), ReloadStep::schema, ReloadCode::state_schema, "it would be stateless"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.file);
    const ReloadAnswer answer = meter.reload(one.file);
    const Refusal& refusal = refusal_of(answer);
    CAPTURE(refusal.text);
    CHECK(name_of(refusal.step) == name_of(one.step));
    CHECK(name_of(refusal.code) == name_of(one.code));
    CHECK(refusal.text.find(one.text) != std::string::npos);
  }
  CHECK(meter.running_copy() == copy);
  meter.append_some(random, 1000);
  meter.check_all_is_exact();
  CHECK(meter.builds().size() == 1);
}

TEST_CASE(
    "reload: a State type that was there before may come back and keeps what it does not know") {
  Meter meter;
  meter.append(1, 10);
  meter.finish();
  report_of(meter.reload(build(2)));
  meter.append(1, 30);
  meter.finish();
  report_of(meter.reload(build(3)));
  meter.append(1, 20);
  meter.finish();
  report_of(meter.reload(build(4)));
  meter.append(1, 5);
  meter.check_all_is_exact();

  meter::Total total = meter.total("device-1");
  CHECK(total.SerializeAsString().find(std::string("\x18\x1e")) != std::string::npos);  // peak: 30
}

TEST_CASE("reload: a build is not reloaded by itself") {
  Meter meter;
  CHECK(report_of(meter.reload({})).outcome == ReloadOutcome::unchanged);
  meter.install(2);
  const ReloadAnswer answer = meter.reload({});
  CHECK(report_of(answer).outcome == ReloadOutcome::reloaded);
  CHECK(report_of(answer).after.version() == "2.0");
  CHECK(report_of(meter.reload({})).outcome == ReloadOutcome::unchanged);
}

TEST_CASE("reload: a build that spends its budget in its probation goes by itself") {
  Meter meter;
  meter.app.reset();
  meter.probation = {
      .time_ms = 60'000, .records = 0, .rejects_percent_max = 10, .records_min = 100};
  meter.open();
  std::mt19937 random(19);
  meter.append_some(random, 1000);
  meter.finish();

  CHECK(report_of(meter.reload(build("rejects"))).probation_ms == 60'000);
  meter.reloader->turn();
  for (int i = 0; i < 150; ++i) meter.append(i, 1, "rejected anyway");
  meter.work();
  meter.reloader->turn();

  CHECK(meter.app->plugins().front()->manifest().version == "1.0");
  const auto& event = *meter.reloader->history().stored().events().rbegin();
  CHECK(event.what() == v1::GenerationEvent::ROLLED_BACK);
  CHECK(event.code() == "too_many_rejects");
  while (meter.reloader->turn()) meter.turn();
  CHECK(meter.reloader->loaded() == 1);
}

TEST_CASE("reload: States that older code cannot read go exactly when it comes back") {
  Meter meter;
  meter.app.reset();
  meter.probation = {.time_ms = 60'000};
  meter.open();
  std::mt19937 random(23);
  meter.append_some(random, 1000);
  meter.turn();
  const ReloadAnswer gone_over = meter.reload(build("milli"));
  const auto& checked = report_of(gone_over).checked;
  CHECK(std::ranges::any_of(checked, [](const std::string& line) {
    return line.find("a rollback takes the tasks back") != std::string::npos;
  }));
  meter.append_some(random, 700);
  bool by_restart = false;
  SUBCASE("by an operator, in the middle of a commit") { meter.turn(); }
  SUBCASE("by an operator, between two") { meter.finish(); }
  SUBCASE("after another build that cannot read them either") {
    meter.finish();
    report_of(meter.reload(build("milli_too")));
    meter.append_some(random, 200);
    meter.finish();
  }
  SUBCASE("by a restart in the probation") {
    meter.finish();
    by_restart = true;
  }
  if (by_restart) {
    meter.app.reset();
    meter.open();
  } else {
    ReloadRequest request;
    request.what = ReloadRequest::What::rollback;
    CHECK(report_of(meter.reloader->run(request)).after.version() == "1.0");
  }
  meter.append_some(random, 300);
  meter.finish();

  // Build 1 has made a feature of every record once, whatever the others have made of some.
  std::map<std::string, std::vector<meter::Measured>> by_device;
  for (const meter::Measured& one : meter.features()) {
    if (one.build() != 1) continue;
    auto& made = by_device[one.device()];
    // What it made before the swap comes before what it made after it.
    if (made.empty() || one.count() > made.back().count()) made.push_back(one);
  }
  for (const auto& [device, given] : meter.amounts) {
    CAPTURE(device);
    REQUIRE(by_device[device].size() == given.size());
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < given.size(); ++i) {
      sum += given[i];
      REQUIRE(by_device[device][i].amount() == given[i]);
      REQUIRE(by_device[device][i].sum() == sum);
    }
    CHECK(meter.total(device).sum() == sum);
    CHECK(meter.total(device).count() == static_cast<std::int64_t>(given.size()));
  }
  // And nothing is left over: the next one begins with what is there now.
  report_of(meter.reload(build("milli")));
  meter.append(1, 5);
  meter.finish();
  CHECK(meter.total("device-1").count() ==
        static_cast<std::int64_t>(meter.amounts["device-1"].size()));
}

TEST_CASE("reload: a build that was promoted is not left for one that cannot read its States") {
  Meter meter;
  meter.app.reset();
  meter.probation = {.time_ms = 60'000};
  meter.open();
  meter.append(1, 5);
  meter.finish();
  report_of(meter.reload(build("milli")));
  meter.append(1, 5);
  meter.finish();
  meter.clock.advance(61'000);
  while (meter.reloader->turn()) meter.turn();
  meter.append(1, 5);
  meter.finish();

  const ReloadAnswer answer = meter.reload(build(3));

  const Refusal& refusal = refusal_of(answer);
  CHECK(name_of(refusal.step) == name_of(ReloadStep::schema));
  CHECK(refusal.text.find("its State is of version 2, the plugin brings version 1") !=
        std::string::npos);
  CHECK(meter.total("device-1").sum() == (5 * 1 + 5 * 9 + 5 * 9) * 1000);
}

TEST_CASE("reload: States that no record touches are migrated while records go on") {
  Meter meter;
  std::mt19937 random(29);
  constexpr int devices = 5000;
  for (int device = 0; device < devices; ++device) meter.append(device, device);
  meter.finish();
  report_of(meter.reload(build("milli")));
  meter.append_some(random, 500, devices);
  meter.finish();
  const std::uint64_t touched = meter.app->progress().live_states;
  while (meter.reloader->turn()) meter.turn();

  REQUIRE(std::holds_alternative<Migration::Progress>(meter.reloader->migrate("meter")));
  int turns = 0;
  for (; !meter.reloader->migration()->over(); ++turns) {
    REQUIRE(turns < 10'000);
    meter.append_some(random, 3, devices);
    meter.turn();
    meter.clock.advance(20);
  }

  const Migration::Progress done = *meter.reloader->migration();
  CHECK(turns > 10);  // a portion a turn
  CHECK(done.visited == devices);
  CHECK(done.failed == 0);
  CHECK(done.gave_up.empty());
  CHECK(done.migrated > devices / 2);
  CHECK(done.migrated <= devices - touched);
  meter.finish();
  // What was only migrated stays in nobody's way.
  CHECK(meter.app->progress().live_states < devices / 2);
  for (int device = 0; device < devices; ++device) {
    const std::string name = fmt::format("device-{}", device);
    const auto& given = meter.amounts[name];
    std::int64_t sum = given.front();  // with build 1
    for (std::size_t i = 1; i < given.size(); ++i) sum += given[i] * 9;
    REQUIRE(meter.total(name).sum() == sum * 1000);
    REQUIRE(meter.total(name).count() == static_cast<std::int64_t>(given.size()));
  }

  REQUIRE(std::holds_alternative<Migration::Progress>(meter.reloader->migrate("")));
  meter.work();
  CHECK(meter.reloader->migration()->over());
  CHECK(meter.reloader->migration()->visited == devices);
  CHECK(meter.reloader->migration()->migrated == 0);  // all are stored so
  CHECK(std::get<Refusal>(meter.reloader->migrate("ammeter")).code == ReloadCode::unknown_plugin);
}

TEST_CASE("reload: a State that cannot be migrated is named and stops nothing") {
  Meter meter;
  for (int device = 0; device < 100; ++device) {
    for (int i = 0; i <= device % 5; ++i) meter.append(device, 1);
  }
  meter.finish();
  report_of(meter.reload(build("milli_throws")));

  (void)meter.reloader->migrate("meter");
  for (int turns = 0; !meter.reloader->migration()->over(); ++turns) {
    REQUIRE(turns < 1000);
    meter.turn();
    meter.clock.advance(20);
  }

  const Migration::Progress done = *meter.reloader->migration();
  CHECK(done.migrated == 80);
  CHECK(done.failed == 20);
  REQUIRE(done.failures.size() == 20);
  CHECK(done.failures.front().find("this count is too much") != std::string::npos);
  CHECK(meter.app->first_halt() == nullptr);
  CHECK(meter.total("device-0").sum() == 1000);
  CHECK(meter.total("device-2").sum() == 3);  // as it was
}

TEST_CASE("reload: a migration meets another build and a halt") {
  Meter meter;
  for (int device = 0; device < 3000; ++device) meter.append(device, 1);
  meter.finish();

  (void)meter.reloader->migrate("meter");
  meter.turn();
  SUBCASE("that has a later version: it begins anew") {
    report_of(meter.reload(build("milli")));
    for (int turns = 0; !meter.reloader->migration()->over(); ++turns) {
      REQUIRE(turns < 1000);
      meter.turn();
      meter.clock.advance(20);
    }
    CHECK(meter.reloader->migration()->migrated == 3000);
  }
  SUBCASE("and a task that halts in the midst of it says so") {
    meter.append(1, 1, "fatal");
    for (int turns = 0; !meter.reloader->migration()->over(); ++turns) {
      REQUIRE(turns < 1000);
      meter.turn();
    }
    REQUIRE(meter.reloader->migration()->gave_up.size() == 1);
    CHECK(meter.reloader->migration()->gave_up.front().find("has halted") != std::string::npos);
  }
}

TEST_CASE("reload: a build whose calls take longer than before goes back by itself") {
  Meter meter;
  meter.app.reset();
  meter.probation = {.time_ms = 60'000, .latency_us_max = 2'000};
  std::int64_t ms_per_record = 1;  // each comes alone
  meter.at_step = [&](std::string_view step) {
    if (step == "prepare") meter.clock.advance(ms_per_record);
  };
  meter.open();
  const auto work = [&](int count) {
    for (; count > 0; --count) {
      meter.append(count % 40, 1);
      meter.work();
    }
  };
  work(300);
  report_of(meter.reload(build(2)));
  SUBCASE("as long as the budget has it") {
    ms_per_record = 3;
    work(300);
    meter.reloader->turn();
    CHECK(meter.app->plugins().front()->manifest().version == "2.0");
  }
  SUBCASE("and not after a few records") {
    ms_per_record = 50;
    work(20);
    meter.reloader->turn();
    CHECK(meter.app->plugins().front()->manifest().version == "2.0");
  }
  SUBCASE("beyond it") {
    ms_per_record = 5;
    work(150);
    meter.reloader->turn();
    CHECK(meter.app->plugins().front()->manifest().version == "1.0");
    const v1::GenerationEvent& event = *meter.reloader->history().stored().events().rbegin();
    CHECK(event.code() == "too_slow");
    CHECK(event.text().find("took 5.0 ms in the mean") != std::string::npos);
    CHECK(event.text().find("1.0 ms before it") != std::string::npos);
  }
  meter.at_step = {};
  meter.check_all_is_exact();
}

TEST_CASE("reload: a task that cannot go back in time does it when it can") {
  Meter meter;
  std::mt19937 random(31);
  meter.append_some(random, 3000);
  meter.finish();
  const auto version_of = [](Task* task) {
    return task->options().resolvers.front().plugin->manifest().version;
  };
  Task* const stuck = meter.app->tasks().back();
  meter.while_waiting = [&] {
    for (Task* task : meter.app->tasks()) {
      if (task != stuck && version_of(task) == "1.0") task->turn();
    }
  };
  ReloadRequest request;
  request.file = build(2);
  request.timeout = std::chrono::milliseconds(50);

  const ReloadAnswer answer = meter.reloader->run(request);

  CHECK(refusal_of(answer).code == ReloadCode::timeout);
  CHECK(refusal_of(answer).text.find("goes back as soon as what it has published is out") !=
        std::string::npos);
  CHECK(version_of(meter.app->tasks().front()) == "2.0");
  const ReloadAnswer busy = meter.reloader->run(request);
  CHECK(refusal_of(busy).step == ReloadStep::swap);
  CHECK(refusal_of(busy).code == ReloadCode::busy);

  meter.while_waiting = [&] { meter.turn(); };
  meter.append_some(random, 500);
  while (meter.reloader->turn()) meter.turn();
  CHECK(version_of(meter.app->tasks().front()) == "1.0");
  CHECK(meter.reloader->loaded() == 1);
  meter.append_some(random, 500);
  meter.check_all_is_exact();
  CHECK(report_of(meter.reload(build(2))).tasks == partitions);
  meter.append_some(random, 500);
  meter.check_all_is_exact();
}

TEST_CASE("reload: no build is loaded when too many have stayed in memory") {
  Meter meter;
  meter.app.reset();
  meter.pinned_max = 1;
  meter.open();
  meter.append(1, 1);
  meter.finish();
  report_of(meter.reload(build("stays")));
  meter.append(1, 1);
  meter.finish();
  report_of(meter.reload(build(3)));
  while (meter.reloader->turn()) meter.turn();
  CHECK(meter.reloader->pinned() == 1);

  const ReloadAnswer answer = meter.reload(build(4));

  CHECK(refusal_of(answer).step == ReloadStep::load);
  CHECK(refusal_of(answer).code == ReloadCode::too_many_pinned);
  meter.append(1, 1);
  meter.check_all_is_exact();
}

TEST_CASE("reload: a file that others could exchange is refused") {
  Meter meter;
  const fs::path open_directory = meter.directory / "open";
  fs::create_directories(open_directory / "deep");
  const fs::path file = open_directory / "deep" / "meter.so";
  fs::copy_file(build(2), file);
  const fs::path link = meter.directory / "link.so";
  fs::create_symlink(file, link);
  fs::permissions(open_directory, fs::perms::all);
  for (const fs::path& path : {file, link}) {
    const ReloadAnswer answer = meter.reload(path);
    CHECK(refusal_of(answer).step == ReloadStep::stage);
    CHECK(refusal_of(answer).code == ReloadCode::writable_by_others);
    CHECK(refusal_of(answer).text.find("mode 0777") != std::string::npos);
  }
  fs::permissions(open_directory, fs::perms::all | fs::perms::sticky_bit);
  CHECK(report_of(meter.reload(link)).after.version() == "2.0");
}

}  // namespace weir::host
