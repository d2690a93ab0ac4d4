#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>

#include "base/histogram.hpp"

namespace weir::host {

using Labels = std::vector<std::pair<std::string, std::string>>;

/// Collects series under the families they belong to; prometheus-cpp writes them. Of that library
/// only the data types and the text format are in use: its counters cost a lock or an atomic where
/// the host counts, and would outlive a task that goes away.
class Exposition {
 public:
  void gauge(std::string_view name, std::string_view help, Labels labels, double value);
  /// `name` ends in _total.
  void counter(std::string_view name, std::string_view help, Labels labels, double value);
  void histogram(std::string_view name, std::string_view help, Labels labels,
                 const Histogram& measured);

  std::string text() const;

 private:
  prometheus::ClientMetric& add(std::string_view name, std::string_view help,
                                prometheus::MetricType type, Labels labels);

  std::vector<prometheus::MetricFamily> families_;  // in the order of their first series
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace weir::host
