#pragma once

#include <filesystem>
#include <vector>

#include "app/exit_code.hpp"
#include "app/output.hpp"

namespace weir::host {

struct ValidateOptions {
  std::vector<std::filesystem::path> configs;
  bool no_plugins = false;  ///< leave the plugin files unread
  bool deny_warnings = false;
  bool print_effective = false;
  OutputFormat format = OutputFormat::text;
};

/// `weir validate`: everything that is wrong with an app's YAML and, without running their code,
/// with its plugins' names, types and settings.
ExitCode command_validate(const ValidateOptions& options);

}  // namespace weir::host
