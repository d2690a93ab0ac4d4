#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/logger.hpp"
#include "supervise/journal.hpp"

namespace weir::host {

/// Looks at the journal's lines and finds calls into plugins that do not come back.
///
/// Time is counted in its own ticks: a process that was stopped, by a signal or a debugger, has not
/// been slow.
class Watchdog {
 public:
  struct Options {
    std::int64_t soft_ms = 1000;    ///< a call is logged and counted
    std::int64_t hard_ms = 60'000;  ///< the process ends; 0 or less: never
  };
  /// Both outlive it. The crash handler is installed for `journal`.
  Watchdog(Options options, Journal& journal, Logger& logger);
  ~Watchdog();

  /// How many calls of each resolver took longer than `soft`. [any]
  std::map<std::string, std::uint64_t> slow_calls() const;

 private:
  struct Watched {
    std::uint64_t call = 0;
    std::int64_t ticks = 0;
    bool told = false;
  };
  void run();
  void look(std::size_t line);

  Options options_;
  Journal& journal_;
  Logger& logger_;
  std::int64_t tick_ms_;
  std::vector<Watched> watched_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;                      // guarded by mutex_
  std::map<std::string, std::uint64_t> slow_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace weir::host
