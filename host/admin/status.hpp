#pragma once

#include <string>

#include "admin/health.hpp"

namespace weir::host {

/// One JSON object with everything that `weir status` shows; host/docs/metrics.md has its fields.
std::string status_json(const Moment& moment);

}  // namespace weir::host
