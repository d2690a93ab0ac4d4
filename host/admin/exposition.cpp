#include "admin/exposition.hpp"

#include <sstream>

#include <prometheus/text_serializer.h>

namespace weir::host {

prometheus::ClientMetric& Exposition::add(std::string_view name, std::string_view help,
                                          prometheus::MetricType type, Labels labels) {
  const auto [at, is_new] = index_.emplace(name, families_.size());
  if (is_new) families_.push_back({std::string(name), std::string(help), type, {}});
  prometheus::ClientMetric& metric = families_[at->second].metric.emplace_back();
  for (auto& [label, value] : labels) metric.label.push_back({std::move(label), std::move(value)});
  return metric;
}

void Exposition::gauge(std::string_view name, std::string_view help, Labels labels, double value) {
  add(name, help, prometheus::MetricType::Gauge, std::move(labels)).gauge.value = value;
}

void Exposition::counter(std::string_view name, std::string_view help, Labels labels,
                         double value) {
  add(name, help, prometheus::MetricType::Counter, std::move(labels)).counter.value = value;
}

void Exposition::histogram(std::string_view name, std::string_view help, Labels labels,
                           const Histogram& measured) {
  prometheus::ClientMetric::Histogram& out =
      add(name, help, prometheus::MetricType::Histogram, std::move(labels)).histogram;
  out.sample_count = measured.count();
  out.sample_sum = measured.sum_seconds();
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < Histogram::bounds_us.size(); ++i) {
    below += measured.in_bucket(i);
    out.bucket.push_back({below, static_cast<double>(Histogram::bounds_us[i]) / 1e6});
  }
}

std::string Exposition::text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families_);
  return std::move(out).str();
}

}  // namespace weir::host
