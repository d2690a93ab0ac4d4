#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::host {

/// How long something took, counted in fixed buckets from 0.5 ms to 10 s, so that what different
/// tasks measured can be added up. One thread.
class Histogram {
 public:
  /// Upper bounds of the buckets, in microseconds; what is above the last one is in no bucket.
  static constexpr std::array<std::int64_t, 14> bounds_us{
      500,     1'000,   2'500,   5'000,     10'000,    25'000,    50'000,
      100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000};

  /// A negative time counts as none.
  void add(std::int64_t microseconds);
  Histogram& operator+=(const Histogram& other);

  std::uint64_t count() const { return count_; }
  double sum_seconds() const { return static_cast<double>(sum_us_) / 1e6; }
  /// Times of at most bounds_us[i] and above the bound before.
  std::uint64_t in_bucket(std::size_t i) const { return buckets_[i]; }

  /// The time that this part (0 to 1) of all did not exceed, in seconds, as far as the buckets
  /// tell: a straight line within a bucket, the last bound for what is above it. 0: nothing yet.
  double quantile_seconds(double part) const;

 private:
  std::array<std::uint64_t, bounds_us.size()> buckets_{};
  std::uint64_t count_ = 0;
  std::int64_t sum_us_ = 0;
};

}  // namespace weir::host
