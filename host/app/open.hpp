#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "config/config.hpp"
#include "log/log.hpp"

namespace weir::host {

/// Where a command finds the log: the app's YAML, or the embedded log's directory itself.
struct LogOptions {
  std::filesystem::path config;
  std::filesystem::path directory;
};

struct OpenLog {
  std::unique_ptr<Log> log;
  std::optional<Config> config;     ///< absent: opened by its directory
  std::filesystem::path directory;  ///< empty: Kafka
};

enum class LogAccess {
  read,   ///< Errc::not_found where there is no log yet
  write,  ///< makes it
};

/// Errc::usage: neither or both were given.
Result<OpenLog> open_log(const LogOptions& options, LogAccess access);

/// The topic, or Errc::not_found with a did-you-mean over the topics that exist.
Result<TopicInfo> find_topic(Log& log, const std::string& name);

}  // namespace weir::host
