#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "app/exit_code.hpp"

namespace weir::host {

struct RunOptions {
  std::filesystem::path config;
  bool until_end = false;      ///< stop when all sources are read to the ends they had at the start
  bool no_progress = false;    ///< no bar on the terminal
  bool no_supervisor = false;  ///< all in this process, which ends when a plugin crashes
  std::string log_format;      ///< auto, text or json
  std::string log_level;       ///< debug, info, warn or error
  /// Tests of recovery: "STEP:N" kills the process when a step is reached for the N-th time.
  std::string kill_at;
  /// Set by the supervisor: this is its worker process, and what they share is this descriptor.
  int worker = -1;
  int journal = -1;            ///< as well
  std::uint64_t restarts = 0;  ///< so many worker processes were before; 0: an operator's start
};

/// `weir run`: from records to features until a signal, or the end.
ExitCode command_run(const RunOptions& options);

}  // namespace weir::host
