#include "base/clock.hpp"

#include <chrono>

namespace weir::host {

namespace {
template <typename Unit, typename ClockType>
std::int64_t now() {
  return std::chrono::duration_cast<Unit>(ClockType::now().time_since_epoch()).count();
}
}  // namespace

std::int64_t SystemClock::wall_ms() {
  return now<std::chrono::milliseconds, std::chrono::system_clock>();
}
std::int64_t SystemClock::steady_ms() {
  return now<std::chrono::milliseconds, std::chrono::steady_clock>();
}
std::int64_t SystemClock::steady_us() {
  return now<std::chrono::microseconds, std::chrono::steady_clock>();
}

}  // namespace weir::host
