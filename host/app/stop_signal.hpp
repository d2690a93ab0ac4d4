#pragma once

#include <chrono>
#include <utility>

namespace weir::host {

/// SIGTERM, SIGINT and SIGHUP as something to wait for. The first asks for a graceful stop; the
/// second ends the process at once (what is uncommitted comes again at the next start).
///
/// Blocks the signals in the thread that makes it, and so in all that are started afterwards: one
/// per process, before any other thread.
class StopSignal {
 public:
  StopSignal();

  /// True when a stop has been asked for, after `timeout` at the latest.
  bool wait(std::chrono::milliseconds timeout);

  /// True once for every time that wait() has met a SIGHUP.
  bool take_hangup() { return std::exchange(hangup_, false); }

 private:
  bool received_ = false;
  bool hangup_ = false;
};

}  // namespace weir::host
