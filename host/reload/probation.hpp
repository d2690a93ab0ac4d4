#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reload/refusal.hpp"
#include "task/counters.hpp"

namespace weir::host {

/// What a new build may do before it is trusted.
struct ProbationLimits {
  std::int64_t time_ms = 0;          ///< 0: there is no probation
  std::uint64_t records = 0;         ///< that the build must have handled, too
  double rejects_percent_max = 100;  ///< of its records, beyond the share of the build before
  std::uint64_t records_min = 100;   ///< fewer say nothing
  std::int64_t latency_us_max = 0;   ///< a record's calls, beyond those before; 0: any time
};

/// What the resolvers of a plugin have made of their records so far.
struct ProbationFigures {
  std::uint64_t handled = 0;   ///< resolved, skipped, rejected or asked for again
  std::uint64_t rejected = 0;  ///< rejected, or asked for again
  std::uint64_t records = 0;   ///< of the tasks that use the plugin
  std::uint64_t call_us = 0;   ///< what all resolvers of these tasks took for them
};

/// One build's probation.
class Probation {
 public:
  Probation(ProbationLimits limits, ProbationFigures before, std::int64_t begun_ms)
      : limits_(limits), before_(before), begun_ms_(begun_ms) {}

  /// Why the build before must come back. Absent: nothing speaks against this one.
  std::optional<std::pair<ReloadCode, std::string>> failure(const ProbationFigures& now) const;
  bool is_over(const ProbationFigures& now, std::int64_t now_ms) const;

 private:
  std::optional<std::string> too_many_rejects(const ProbationFigures& now) const;
  std::optional<std::string> too_slow(const ProbationFigures& now) const;

  ProbationLimits limits_;
  ProbationFigures before_;  // since the start of the host, until the swap
  std::int64_t begun_ms_;
};

}  // namespace weir::host
