#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "admin/health.hpp"
#include "admin/server.hpp"
#include "base/clock.hpp"
#include "base/logger.hpp"

namespace weir::host {

/// What a host says of itself while its worker process is down: alive, not ready, and why. Answers
/// where the worker did.
class DownAdmin {
 public:
  struct Options {
    std::string app;
    std::string version;
    std::string state;   ///< the state directory
    std::string listen;  ///< empty: nowhere
    bool allow_remote = false;
    std::string why;  ///< there is no worker
    std::uint64_t restarts = 0;
    std::int64_t next_start_ms = 0;  ///< on the steady clock
  };
  /// Null where nothing is listened at. `clock` and `logger` outlive it.
  static Result<std::unique_ptr<DownAdmin>> start(Options options, Clock& clock, Logger& logger);
  ~DownAdmin();

 private:
  DownAdmin(Options options, Clock& clock);
  Moment now() const;

  Options options_;
  Clock& clock_;
  std::int64_t started_ms_;
  std::unique_ptr<Server> server_;
};

}  // namespace weir::host
