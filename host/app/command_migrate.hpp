#pragma once

#include "app/command_reload.hpp"
#include "app/exit_code.hpp"

namespace weir::host {

/// `weir plugin migrate --dry-run`: whether a build reads all States of the app, beside a running
/// host or without one.
ExitCode command_migrate_dry_run(const ReloadOptions& options);

}  // namespace weir::host
