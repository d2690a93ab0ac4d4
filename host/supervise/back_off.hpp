#pragma once

#include <algorithm>
#include <chrono>

namespace weir::host {

/// How long to wait before a process that has ended is started again: not at all after one that had
/// got on, then 100 ms, and each time twice as long, up to 30 s, until one gets on.
class BackOff {
 public:
  static constexpr std::chrono::milliseconds shortest{100};
  static constexpr std::chrono::milliseconds longest{30'000};

  std::chrono::milliseconds after_end(bool got_on) {
    if (got_on) {
      next_ = {};
      return {};
    }
    next_ = std::clamp(2 * next_, shortest, longest);
    return next_;
  }

 private:
  std::chrono::milliseconds next_{};
};

}  // namespace weir::host
