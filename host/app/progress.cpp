#include "app/progress.hpp"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "base/counted.hpp"

namespace weir::host {

namespace {
constexpr std::int64_t terminal_interval_ms = 100;
constexpr std::int64_t line_interval_ms = 10'000;
constexpr int bar_width = 30;
}  // namespace

ProgressDisplay::ProgressDisplay(Clock& clock, bool has_end, bool enabled)
    : clock_(clock),
      has_end_(has_end),
      enabled_(enabled),
      is_terminal_(isatty(STDERR_FILENO) != 0),
      last_ms_(clock.steady_ms()) {
  next_ms_ = last_ms_ + (is_terminal_ ? terminal_interval_ms : line_interval_ms);
}

void ProgressDisplay::update(const Worker::Progress& progress) {
  const std::int64_t now_ms = clock_.steady_ms();
  if (!enabled_ || now_ms < next_ms_) return;
  const double seconds = static_cast<double>(now_ms - last_ms_) / 1000.0;
  const double now_rate =
      static_cast<double>(progress.counters.records - last_records_) / std::max(seconds, 0.001);
  rate_ = rate_ == 0 ? now_rate : 0.7 * rate_ + 0.3 * now_rate;
  last_ms_ = now_ms;
  last_records_ = progress.counters.records;

  const std::string line = bar(progress, rate_);
  if (is_terminal_) {
    fmt::print(stderr, "\r\033[K{}", line);
    drawn_ = true;
    next_ms_ = now_ms + terminal_interval_ms;
  } else {
    fmt::print(stderr, "{}\n", line);
    next_ms_ = now_ms + line_interval_ms;
  }
  std::fflush(stderr);
}

void ProgressDisplay::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  drawn_ = false;
}

std::string ProgressDisplay::bar(const Worker::Progress& progress, double rate) const {
  const Counters& counters = progress.counters;
  const std::string tail = fmt::format(
      "{}, {:.0f}/s, {}, {}, {}", counted(counters.records, "record"), rate,
      counted(counters.features, "feature"), counted(counters.dead_letters, "dead letter"),
      counted(progress.live_states, "live State"));
  if (!has_end_ || progress.total <= 0) return tail;
  const double part = std::clamp(
      static_cast<double>(progress.handled) / static_cast<double>(progress.total), 0.0, 1.0);
  const int full = static_cast<int>(part * bar_width);
  std::string picture;
  for (int i = 0; i < bar_width; ++i) picture += i < full ? "█" : "░";
  return fmt::format("{} {:3.0f} %  {}", picture, part * 100, tail);
}

}  // namespace weir::host
