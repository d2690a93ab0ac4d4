#include "reload/probation.hpp"

#include <fmt/format.h>

namespace weir::host {

namespace {
double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}
}  // namespace

std::optional<std::pair<ReloadCode, std::string>> Probation::failure(
    const ProbationFigures& now) const {
  const std::uint64_t handled = now.handled - before_.handled;
  if (handled < limits_.records_min) return std::nullopt;
  const double share = percent(now.rejected - before_.rejected, handled);
  const double share_before = percent(before_.rejected, before_.handled);
  if (share <= share_before + limits_.rejects_percent_max) return std::nullopt;
  return std::pair(ReloadCode::too_many_rejects,
                   fmt::format("{:.1f} % of {} records were rejected or asked for again, {:.1f} % "
                               "before it; {:.1f} % more are allowed",
                               share, handled, share_before, limits_.rejects_percent_max));
}

bool Probation::is_over(const ProbationFigures& now, std::int64_t now_ms) const {
  return now_ms - begun_ms_ >= limits_.time_ms && now.handled - before_.handled >= limits_.records;
}

}  // namespace weir::host
