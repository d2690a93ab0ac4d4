#pragma once

#include <string>

#include "admin/health.hpp"

namespace weir::host {

/// Everything that is counted and measured, in Prometheus's text format 0.0.4. What each name means
/// stands in host/docs/metrics.md; a test holds that page against this.
std::string metrics_text(const Moment& moment);

}  // namespace weir::host
