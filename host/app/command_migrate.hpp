#pragma once

#include "app/command_reload.hpp"
#include "app/exit_code.hpp"

namespace weir::host {

/// `weir plugin migrate`: lets a running host migrate the States that no record has touched, and
/// waits until it has; with --dry-run, beside a host or without one: whether a build reads all.
ExitCode command_migrate(const ReloadOptions& options);

}  // namespace weir::host
