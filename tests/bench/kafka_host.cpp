#include <fmt/format.h>

#include "app/app.hpp"
#include "bench/kafka_line.hpp"
#include "bench/run.hpp"

namespace weir::host::bench {

namespace {

std::string yaml(const KafkaSetting& setting, const KafkaCase& one, const std::string& topic,
                 int number) {
  std::string text = fmt::format(
      "app: bench-{0}\n"
      "log: {{kafka: {{brokers: [{1}]{2}}}}}\n"
      "plugins: [\"{3}\"]\n"
      "workers: {4}\n"
      "state: {{commit: {{interval: {5}ms}}}}\n"
      "sources:\n  input: {{topic: {6}, format: {7}}}\n"
      "resolvers:\n  work: {{use: {8}/{9}, from: input{10}}}\n",
      number, setting.brokers, one.exactly_once ? "" : ", delivery: at_least_once",
      plugin_path(one.line).string(), one.worker_count, one.line.commit_ms, topic,
      one.line.format == Format::Kind::json ? "json" : "protobuf", one.line.plugin(),
      one.line.resolver(), one.line.features ? ", to: out" : "");
  if (one.line.features) {
    text += fmt::format("sinks:\n  out: {{topic: out-{}, partitions: {}}}\n", number,
                        setting.partition_count);
  }
  return text;
}

class RunningHost final : public RunningLine {
 public:
  RunningHost(const KafkaSetting& setting, const KafkaCase& one, const std::string& topic,
              int number)
      : config_(kafka_app(setting, one, topic, number)),
        output_(fmt::format("out-{}", number)),
        app_(or_fail(App::open(config_,
                               {.state = setting.directory / fmt::format("state-{}", number)},
                               clock_, logger_))) {
    app_->start();
  }
  std::string output() const override { return output_; }
  void stop() override {
    app_->request_stop();
    app_->join();
    if (const Error* halt = app_->first_halt(); halt != nullptr) fail(*halt);
  }

 private:
  SystemClock clock_;
  Logger logger_{Logger::Format::human, LogLevel::warn};
  Config config_;
  std::string output_;
  std::unique_ptr<App> app_;
};

}  // namespace

std::unique_ptr<RunningLine> start_host(const KafkaSetting& setting, const KafkaCase& one,
                                        const std::string& topic, int number) {
  return std::make_unique<RunningHost>(setting, one, topic, number);
}

Config kafka_app(const KafkaSetting& setting, const KafkaCase& one, const std::string& topic,
                 int number) {
  return or_fail(Config::parse(yaml(setting, one, topic, number), "app of the bench"));
}

KafkaMeasured run_kafka_host(const KafkaSetting& setting, const KafkaCase& one, int number) {
  const Config config = kafka_app(setting, one, one.topic(), number);
  SystemClock clock;
  Logger logger(Logger::Format::human, LogLevel::warn);
  const std::filesystem::path state = setting.directory / fmt::format("state-{}", number);
  auto app = or_fail(App::open(config, {.state = state, .until_end = true}, clock, logger));

  const std::int64_t wall = wall_ns();
  const std::int64_t cpu = process_cpu_ns();
  app->start();
  app->join();
  KafkaMeasured measured;
  measured.wall_s = static_cast<double>(wall_ns() - wall) / 1e9;
  measured.cpu_s = static_cast<double>(process_cpu_ns() - cpu) / 1e9;
  measured.resident_bytes = resident_peak_bytes();

  if (const Error* halt = app->first_halt(); halt != nullptr) fail(*halt);
  const Counters counters = app->progress().counters;
  measured.records = counters.records;
  measured.commits = counters.commits;
  app.reset();
  measured.checksum = sum_of_states(state, one.line.work);
  return measured;
}

}  // namespace weir::host::bench
