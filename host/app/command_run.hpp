#pragma once

#include <filesystem>
#include <string>

#include "app/exit_code.hpp"

namespace weir::host {

struct RunOptions {
  std::filesystem::path config;
  bool until_end = false;    ///< stop when all sources are read to the ends they had at the start
  bool no_progress = false;  ///< no bar on the terminal
  std::string log_format;    ///< auto, text or json
  std::string log_level;     ///< debug, info, warn or error
  /// Tests of recovery: "STEP:N" kills the process when a step is reached for the N-th time.
  std::string kill_at;
};

/// `weir run`: from records to features until a signal, or the end.
ExitCode command_run(const RunOptions& options);

}  // namespace weir::host
