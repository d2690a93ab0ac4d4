#pragma once

#include <string_view>

#include "admin/health.hpp"
#include "admin/http.hpp"

namespace weir::host {

/// What one moment has to say to a request for `path`.
HttpAnswer answer_of(std::string_view path, const Moment& moment);

}  // namespace weir::host
