#include "base/histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace weir::host {
namespace {

std::uint64_t in_all_buckets(const Histogram& histogram) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < Histogram::bounds_us.size(); ++i) sum += histogram.in_bucket(i);
  return sum;
}

}  // namespace

TEST_CASE("histogram: a time is in the first bucket whose bound it does not exceed") {
  for (std::size_t i = 0; i < Histogram::bounds_us.size(); ++i) {
    Histogram histogram;
    histogram.add(Histogram::bounds_us[i]);
    CHECK(histogram.in_bucket(i) == 1);
    if (i == 0) continue;
    histogram.add(Histogram::bounds_us[i - 1] + 1);
    CHECK(histogram.in_bucket(i) == 2);
  }
}

TEST_CASE("histogram: what is longer than the last bound counts and is in no bucket") {
  Histogram histogram;
  histogram.add(10'000'001);
  histogram.add(-5);

  CHECK(histogram.count() == 2);
  CHECK(in_all_buckets(histogram) == 1);
  CHECK(histogram.sum_seconds() == doctest::Approx(10.000001));
  CHECK(histogram.quantile_seconds(1) == 10.0);
}

TEST_CASE("histogram: a sum of two is what one would have measured") {
  Histogram first;
  Histogram second;
  Histogram both;
  for (std::int64_t us = 1; us < 40'000'000; us = us * 3 / 2 + 1) {
    (us % 2 == 0 ? first : second).add(us);
    both.add(us);
  }
  first += second;

  CHECK(first.count() == both.count());
  CHECK(first.sum_seconds() == both.sum_seconds());
  for (std::size_t i = 0; i < Histogram::bounds_us.size(); ++i) {
    CHECK(first.in_bucket(i) == both.in_bucket(i));
  }
}

TEST_CASE("histogram: a quantile lies in the bucket of the true one") {
  std::mt19937_64 random(7);
  Histogram histogram;
  CHECK(histogram.quantile_seconds(0.99) == 0);
  std::vector<std::int64_t> times;
  for (int i = 0; i < 10'000; ++i) {
    times.push_back(static_cast<std::int64_t>(random() % 300'000));
    histogram.add(times.back());
  }
  std::sort(times.begin(), times.end());
  for (const double part : {0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0}) {
    CAPTURE(part);
    const auto rank = static_cast<std::size_t>(part * 10'000) - 1;
    const auto bound =
        std::lower_bound(Histogram::bounds_us.begin(), Histogram::bounds_us.end(), times[rank]);
    const double seconds = histogram.quantile_seconds(part);
    CHECK(seconds <= static_cast<double>(*bound) / 1e6);
    if (bound != Histogram::bounds_us.begin()) {
      CHECK(seconds >= static_cast<double>(*std::prev(bound)) / 1e6);
    }
  }
}

}  // namespace weir::host
