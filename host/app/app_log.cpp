#include "app/app_log.hpp"

#include <fmt/ranges.h>

#include "base/counted.hpp"
#include "log/embedded_log.hpp"
#include "log/kafka/kafka_log.hpp"

namespace weir::host {
namespace {

using Properties = google::protobuf::Map<std::string, std::string>;

KafkaProperties to_properties(const Properties& properties) {
  return {properties.begin(), properties.end()};
}

std::string brokers_of(const config::v1::Kafka& kafka) {
  return fmt::format("{}", fmt::join(kafka.brokers(), ","));
}

KafkaOptions to_options(const config::v1::Kafka& kafka, Logger* logger) {
  KafkaOptions options;
  options.brokers = brokers_of(kafka);
  options.properties = to_properties(kafka.properties());
  options.consumer = to_properties(kafka.consumer());
  options.producer = to_properties(kafka.producer());
  options.session_timeout = std::chrono::milliseconds(kafka.session_timeout());
  options.exactly_once = kafka.delivery() != config::v1::AT_LEAST_ONCE;
  if (kafka.topics().replication() > 0) {
    options.replication = static_cast<std::int16_t>(kafka.topics().replication());
  }
  options.topic_config = to_properties(kafka.topics().config());
  options.logger = logger;
  return options;
}

}  // namespace

std::vector<Finding> check_app_log(const Config& config) {
  std::vector<Finding> findings;
  if (!config.app().log().has_kafka()) return findings;
  const config::v1::Kafka& kafka = config.app().log().kafka();
  const auto check = [&](std::string_view map, const Properties& properties) {
    for (const auto& [name, value] : to_properties(properties)) {
      const std::string path = fmt::format("log.kafka.{}.{}", map, name);
      if (auto fits = check_kafka_property(name, value); !fits) {
        findings.push_back(config.at(path, fmt::format("{}: {}", path, fits.error().message), ""));
      }
      if (auto warning = kafka_property_warning(name, value); !warning.empty()) {
        findings.push_back(config.at(path, fmt::format("{}: {}", path, warning), ""));
        findings.back().severity = Finding::Severity::warning;
      }
    }
  };
  check("properties", kafka.properties());
  check("consumer", kafka.consumer());
  check("producer", kafka.producer());
  return findings;
}

Result<std::unique_ptr<Log>> open_app_log(const Config& config, const std::filesystem::path& state,
                                          Logger* logger) {
  if (config.app().log().has_kafka()) {
    std::vector<Finding> findings = check_app_log(config);
    for (const Finding& finding : findings) {
      if (finding.severity != Finding::Severity::warning || logger == nullptr) continue;
      logger->warn("config", "{}", config.render({finding}));
    }
    std::erase_if(findings, [](const Finding& finding) {
      return finding.severity == Finding::Severity::warning;
    });
    if (!findings.empty()) return error(Errc::config, "{}", config.render(findings));
    WEIR_TRY(auto opened, KafkaLog::open(to_options(config.app().log().kafka(), logger)));
    return std::unique_ptr<Log>(std::move(opened));
  }
  const config::v1::EmbeddedLog& log = config.app().log().embedded();
  WEIR_TRY(auto opened, EmbeddedLog::open({.directory = config.log_directory(state),
                                           .map_bytes = log.map_size(),
                                           .sync = log.sync()}));
  return std::unique_ptr<Log>(std::move(opened));
}

Result<TopicInfo> ensure_topic(const Config& config, Log& log, Logger& logger,
                               const std::string& topic, std::uint32_t partitions, TopicUse use) {
  WEIR_TRY(const auto found, log.topic(topic));
  if (found) return *found;
  if (config.app().log().has_kafka()) {
    const config::v1::Kafka& kafka = config.app().log().kafka();
    const std::string command =
        fmt::format("kafka-topics.sh --bootstrap-server {} --create --topic {} --partitions {}",
                    brokers_of(kafka), topic, partitions);
    if (use == TopicUse::source) {
      return error(Errc::not_found,
                   "the Kafka at {} has no topic {} to read, and a host makes none; make it with "
                   "as many partitions as it will ever need: {}",
                   brokers_of(kafka), topic, command);
    }
    if (!kafka.topics().create()) {
      return error(Errc::not_found,
                   "the Kafka at {} has no topic {} to publish to, and log.kafka.topics.create is "
                   "false: {}",
                   brokers_of(kafka), topic, command);
    }
  }
  WEIR_CHECK(log.create_topic(topic, static_cast<std::int32_t>(partitions)));
  logger.info("log", "made topic {} with {}", topic, counted(partitions, "partition"));
  WEIR_TRY(const auto made, log.topic(topic));
  if (!made) return error(Errc::unavailable, "topic {} was made and is gone again", topic);
  return *made;
}

}  // namespace weir::host
