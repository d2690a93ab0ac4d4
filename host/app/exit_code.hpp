#pragma once

#include "base/result.hpp"

namespace weir::host {

/// What `weir` exits with: sysexits(3), so that service managers and scripts can tell what to do.
enum class ExitCode : int {
  ok = 0,
  failed = 1,          ///< a check failed, or what was asked for is not there
  usage = 64,          ///< the command line
  data = 65,           ///< input or stored bytes
  unavailable = 69,    ///< a log, topic, directory or broker that should be there is not
  internal = 70,       ///< a bug of Weir or of a plugin
  cannot_create = 73,  ///< the state directory
  io = 74,             ///< the operating system, LMDB, a full map or disk
  temporary = 75,      ///< worth trying again
  all_halted = 76,     ///< `weir run`: every task halted by its own decision
  refused = 77,        ///< a rule forbids it
  config = 78,         ///< the app's YAML
};

/// The one place that maps errors to exit codes.
ExitCode exit_code(Errc code);

}  // namespace weir::host
