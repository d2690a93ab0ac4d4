#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/logger.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "log/log.hpp"

namespace weir::host {

/// What is wrong with the YAML's `log:` beyond its schema: properties that librdkafka does not
/// take, or that the host must set itself; warnings too. Asks no broker.
std::vector<Finding> check_app_log(const Config& config);

/// The log that the app's YAML names: the embedded one, below `state` unless the YAML says
/// otherwise, or Kafka. `logger` (may be null) outlives it.
Result<std::unique_ptr<Log>> open_app_log(const Config& config, const std::filesystem::path& state,
                                          Logger* logger);

/// The topic of a source, sink or of dead letters at the start of a host: made, or checked, by the
/// policy of the log. `path`: of its setting in the YAML.
enum class TopicUse { source, output };
Result<TopicInfo> ensure_topic(const Config& config, Log& log, Logger& logger,
                               const std::string& topic, std::uint32_t partitions, TopicUse use);

}  // namespace weir::host
