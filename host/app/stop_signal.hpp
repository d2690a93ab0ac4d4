#pragma once

#include <chrono>

namespace weir::host {

/// SIGTERM and SIGINT as something to wait for. The first asks for a graceful stop; the second ends
/// the process at once (what is uncommitted comes again at the next start).
///
/// Blocks the signals in the thread that makes it, and so in all that are started afterwards: one
/// per process, before any other thread.
class StopSignal {
 public:
  StopSignal();

  /// True when a stop has been asked for, after `timeout` at the latest.
  bool wait(std::chrono::milliseconds timeout);

 private:
  bool received_ = false;
};

}  // namespace weir::host
