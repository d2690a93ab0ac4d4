#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "admin/health.hpp"
#include "admin/http.hpp"
#include "admin/log_watch.hpp"
#include "admin/server.hpp"
#include "base/clock.hpp"
#include "base/listen_address.hpp"
#include "base/logger.hpp"

namespace weir::host {

/// What a host says of itself while it runs: /metrics, /livez, /readyz and /status.
///
/// Reads snapshots that the workers leave behind, and what its LogWatch found out. Never calls into
/// a task, a worker, a plugin or the log from a request; changes nothing.
class Admin {
 public:
  struct Options {
    ListenAddress listen;
    bool allow_remote = false;
    std::int64_t stuck_after_ms = 60'000;
    std::filesystem::path state;  ///< the state directory
    std::int64_t pid = 0;         ///< of the process that an operator stops
    std::uint64_t restarts = 0;   ///< worker processes before this one
  };
  /// What it is about; everything outlives it.
  struct Ports {
    HostView& host;
    Log& log;
    Clock& clock;
    Logger& logger;
  };

  /// Listens, and leaves a file in the state directory that says where (read_admin_address).
  static Result<std::unique_ptr<Admin>> start(Options options, Ports ports);
  ~Admin();

  const ListenAddress& address() const { return server_->address(); }

 private:
  Admin(Options options, Ports ports);
  Moment now() const;

  Options options_;
  Ports ports_;
  std::int64_t started_ms_;
  LogWatch watch_;
  std::unique_ptr<Server> server_;
};

/// Says in the state directory where its host answers, and that it does not any more.
Result<void> write_admin_address(const std::filesystem::path& state, const ListenAddress& address);
void remove_admin_address(const std::filesystem::path& state);

/// Where the host of a state directory answers. Absent: none has said so, or it has stopped. That
/// it is there does not mean that it still runs.
Result<std::optional<ListenAddress>> read_admin_address(const std::filesystem::path& state);

}  // namespace weir::host
