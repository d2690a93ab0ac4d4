#pragma once

#include <cstdint>
#include <string>

namespace weir::host {

/// What a key's timer is set to; a key has at most one in each resolver.
struct Timer {
  std::int64_t at_ms = 0;      ///< on the task's arrival clock
  std::uint32_t attempts = 0;  ///< that ended with a retry
  bool operator==(const Timer&) const = default;
};

struct KeyTimer {
  std::string key;
  Timer timer;
};

}  // namespace weir::host
