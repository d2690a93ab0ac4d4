#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "app/exit_code.hpp"
#include "app/open.hpp"

namespace weir::host {

struct ConsumeOptions {
  LogOptions log;
  std::string topic;
  std::string from = "earliest";  ///< earliest, latest, an offset or a time
  std::optional<std::int32_t> partition;
  std::uint64_t limit = 0;  ///< records; 0: all
  bool follow = false;      ///< wait for more at the end
};

/// `weir consume TOPIC`: records as JSON lines that `weir produce` takes back, the partitions
/// merged by timestamp.
ExitCode command_consume(const ConsumeOptions& options);

}  // namespace weir::host
