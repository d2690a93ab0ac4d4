#pragma once

#include <sys/types.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace weir::host {

/// How a process ended.
struct ProcessEnd {
  std::optional<int> code;  ///< it exited
  int signal = 0;           ///< else: this killed it
  bool core = false;        ///< and left a core

  static ProcessEnd from_wait(int status);
  std::string text() const;  ///< "exited with code 7", "was killed by SIGSEGV (left a core)"
};

/// SIGSEGV and so on; "signal 42" where it has no name.
std::string signal_name(int signal);

/// Starts this very program again, in a process group of its own, with `arguments` behind its name.
/// The kernel kills it (SIGKILL) when the caller ends, however that happens; so the caller has one
/// thread. It inherits the descriptors `inherited` under their numbers, and the signal mask `mask`.
/// Errc::io.
Result<pid_t> start_worker(const std::vector<std::string>& arguments,
                           const std::vector<int>& inherited, const sigset_t& mask);

}  // namespace weir::host
