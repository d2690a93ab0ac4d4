#include "base/clock.hpp"

#include <chrono>

namespace weir::host {

namespace {
template <typename ClockType>
std::int64_t now_ms() {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  return duration_cast<milliseconds>(ClockType::now().time_since_epoch()).count();
}
}  // namespace

std::int64_t SystemClock::wall_ms() { return now_ms<std::chrono::system_clock>(); }
std::int64_t SystemClock::steady_ms() { return now_ms<std::chrono::steady_clock>(); }

}  // namespace weir::host
