#pragma once

#include <filesystem>
#include <string>

#include "app/exit_code.hpp"
#include "app/output.hpp"

namespace weir::host {

struct StatusOptions {
  std::filesystem::path config;     ///< either this
  std::filesystem::path directory;  ///< or the state directory itself; with both, this one
  OutputFormat format = OutputFormat::text;
};

/// `weir status`: what the running host says of itself. ExitCode::ok: it is ready.
/// ExitCode::failed: it runs and is not ready. ExitCode::unavailable: no host runs here.
ExitCode command_status(const StatusOptions& options);

}  // namespace weir::host
