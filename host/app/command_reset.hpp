#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "app/exit_code.hpp"
#include "app/output.hpp"

namespace weir::host {

struct ResetOptions {
  std::filesystem::path config;
  std::string to;
  std::string source;  ///< empty: all
  std::string topic;   ///< empty: all
  std::optional<std::int32_t> partition;
  std::string state;  ///< keep or drop; nothing is assumed
  bool dry_run = false;
  OutputFormat format = OutputFormat::text;
  std::string kill_at;  ///< for tests
};

/// `weir reset`: sets where the tasks of a host that does not run go on, and keeps or drops their
/// State. ExitCode::refused: a host runs, here or elsewhere.
ExitCode command_reset(const ResetOptions& options);

}  // namespace weir::host
