#pragma once

#include <filesystem>
#include <string>

#include "app/exit_code.hpp"
#include "app/output.hpp"

namespace weir::host {

struct CrashesOptions {
  std::filesystem::path config;
  std::filesystem::path directory;  ///< the state directory, in place of the YAML's
  std::string id;                   ///< only this one, with everything
  bool forget = false;              ///< what `id` has crashed on gets a fresh chance
  OutputFormat format = OutputFormat::text;
};

/// `weir crashes`: what is known of crashes, also beside a running host.
ExitCode command_crashes(const CrashesOptions& options);

}  // namespace weir::host
