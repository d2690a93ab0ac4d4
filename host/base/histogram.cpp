#include "base/histogram.hpp"

#include <algorithm>

namespace weir::host {

void Histogram::add(std::int64_t microseconds) {
  microseconds = std::max<std::int64_t>(microseconds, 0);
  const auto bound = std::lower_bound(bounds_us.begin(), bounds_us.end(), microseconds);
  if (bound != bounds_us.end()) ++buckets_[static_cast<std::size_t>(bound - bounds_us.begin())];
  ++count_;
  sum_us_ += microseconds;
}

Histogram& Histogram::operator+=(const Histogram& other) {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_us_ += other.sum_us_;
  return *this;
}

double Histogram::quantile_seconds(double part) const {
  if (count_ == 0) return 0;
  const double rank = std::clamp(part, 0.0, 1.0) * static_cast<double>(count_);
  double below = 0;
  double lower_us = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    const auto here = static_cast<double>(buckets_[i]);
    const auto upper_us = static_cast<double>(bounds_us[i]);
    if (here > 0 && below + here >= rank) {
      return (lower_us + (upper_us - lower_us) * std::max(rank - below, 0.0) / here) / 1e6;
    }
    below += here;
    lower_us = upper_us;
  }
  return lower_us / 1e6;
}

}  // namespace weir::host
