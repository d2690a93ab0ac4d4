#pragma once

#include "app/exit_code.hpp"
#include "app/output.hpp"

namespace weir::host {

/// `weir version`: of the host, the plugin ABI and the libraries that matter for stored data.
ExitCode command_version(OutputFormat format);

}  // namespace weir::host
