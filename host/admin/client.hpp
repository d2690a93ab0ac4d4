#pragma once

#include <chrono>
#include <string>

#include "admin/http.hpp"
#include "base/listen_address.hpp"
#include "base/result.hpp"

namespace weir::host {

/// GETs `path` from a host's admin side. Errc::not_found: nobody listens there. Errc::unavailable:
/// no whole answer came within `deadline`.
Result<HttpAnswer> http_get(const ListenAddress& address, const std::string& path,
                            std::chrono::milliseconds deadline = std::chrono::seconds(10));

/// POSTs `body` to `path` of a host's control socket, the same way.
Result<HttpAnswer> http_post(const ListenAddress& address, const std::string& path,
                             std::string body, std::chrono::milliseconds deadline);

}  // namespace weir::host
