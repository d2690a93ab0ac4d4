#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "reload/probe.hpp"

namespace weir::host {

/// A request on its way to the child, which reads it once. For the host's user alone.
Result<void> write_probe_file(const ProbeRequest& request, const std::filesystem::path& path);
Result<ProbeRequest> read_probe_file(const std::filesystem::path& path);

}  // namespace weir::host
