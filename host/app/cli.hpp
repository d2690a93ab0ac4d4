#pragma once

namespace weir::host {

/// The command line: finds the command, reads its options, runs it, and returns the exit code.
/// Unknown words get a did-you-mean and ExitCode::usage.
int run_command_line(int argc, const char* const* argv);

}  // namespace weir::host
