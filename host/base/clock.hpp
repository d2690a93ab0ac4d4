#pragma once

#include <cstdint>

namespace weir::host {

/// Where time comes from. The task reads it once a batch; tests and the TestDriver move it by hand.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t wall_ms() = 0;    ///< since 1970-01-01 UTC; may jump
  virtual std::int64_t steady_ms() = 0;  ///< since some start; never goes back
  /// The same start, finer where the clock is: for how long something took.
  virtual std::int64_t steady_us() { return steady_ms() * 1000; }
};

/// The machine's clocks. [any]
class SystemClock final : public Clock {
 public:
  std::int64_t wall_ms() override;
  std::int64_t steady_ms() override;
  std::int64_t steady_us() override;
};

/// A clock that stands still until it is moved. [one thread]
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t wall_ms) : wall_ms_(wall_ms) {}
  std::int64_t wall_ms() override { return wall_ms_; }
  std::int64_t steady_ms() override { return steady_ms_; }
  void advance(std::int64_t milliseconds) {
    wall_ms_ += milliseconds;
    steady_ms_ += milliseconds;
  }

 private:
  std::int64_t wall_ms_;
  std::int64_t steady_ms_ = 0;
};

}  // namespace weir::host
