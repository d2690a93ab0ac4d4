#include "reload/probation.hpp"

#include <fmt/format.h>

namespace weir::host {

namespace {
double mean(std::uint64_t sum, std::uint64_t count) {
  return count == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(count);
}
double percent(std::uint64_t part, std::uint64_t whole) { return 100.0 * mean(part, whole); }
}  // namespace

std::optional<std::pair<ReloadCode, std::string>> Probation::failure(
    const ProbationFigures& now) const {
  if (auto why = too_many_rejects(now)) return std::pair(ReloadCode::too_many_rejects, *why);
  if (auto why = too_slow(now)) return std::pair(ReloadCode::too_slow, *why);
  return std::nullopt;
}

std::optional<std::string> Probation::too_many_rejects(const ProbationFigures& now) const {
  const std::uint64_t handled = now.handled - before_.handled;
  if (handled < limits_.records_min) return std::nullopt;
  const double share = percent(now.rejected - before_.rejected, handled);
  const double share_before = percent(before_.rejected, before_.handled);
  if (share <= share_before + limits_.rejects_percent_max) return std::nullopt;
  return fmt::format(
      "{:.1f} % of {} records were rejected or asked for again, {:.1f} % before it; "
      "{:.1f} % more are allowed",
      share, handled, share_before, limits_.rejects_percent_max);
}

std::optional<std::string> Probation::too_slow(const ProbationFigures& now) const {
  const std::uint64_t records = now.records - before_.records;
  if (limits_.latency_us_max <= 0 || records < limits_.records_min) return std::nullopt;
  const double mean_us = mean(now.call_us - before_.call_us, records);
  const double mean_us_before = mean(before_.call_us, before_.records);
  if (mean_us <= mean_us_before + static_cast<double>(limits_.latency_us_max)) return std::nullopt;
  return fmt::format(
      "the calls for a record took {:.1f} ms in the mean of {} records, {:.1f} ms "
      "before it; {:.1f} ms more are allowed",
      mean_us / 1000, records, mean_us_before / 1000,
      static_cast<double>(limits_.latency_us_max) / 1000);
}

bool Probation::is_over(const ProbationFigures& now, std::int64_t now_ms) const {
  return now_ms - begun_ms_ >= limits_.time_ms && now.handled - before_.handled >= limits_.records;
}

}  // namespace weir::host
