#pragma once

#include <filesystem>

#include "app/command_reload.hpp"
#include "app/exit_code.hpp"
#include "app/output.hpp"
#include "base/result.hpp"
#include "reload/migration.hpp"

namespace weir::host {

/// `weir plugin migrate`: lets a running host migrate the States that no record has touched, and
/// waits until it has; without one, does it here. With --dry-run, the same two: whether a build
/// reads all.
ExitCode command_migrate(const ReloadOptions& options);

/// Without a host: with the build that a start would load, in a process of its own, whose crash is
/// told. A Migration::Progress is printed by it.
Result<ExitCode> migrate_stopped(const ReloadOptions& options, const std::filesystem::path& state);

/// Prints what a migration has come to; its exit code.
ExitCode tell(const Migration::Progress& done, OutputFormat format);

}  // namespace weir::host
