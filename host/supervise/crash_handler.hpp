#pragma once

#include "supervise/journal.hpp"

namespace weir::host {

/// From here on a fault, an abort or a watchdog's verdict leaves its mark in `journal`, and then
/// ends the process as it would have without: by the same signal, with the same core. Nothing is
/// "recovered". Threads that run plugin code have a SignalStack. `journal` lives as long as the
/// process. Not under a
/// sanitizer, whose own handlers say more.
/// [control]
void install_crash_handler(Journal& journal);

/// Plugin code ends the process from inside a call; notes it, if that is so. Async-signal-safe.
/// True: it is.
bool note_exit(int code);

/// The watchdog's verdict over the call in `line`: notes it, ends its thread with SIGABRT, so that
/// the mark gets its place in the code, and after a grace the whole process. Does not return.
[[noreturn]] void end_hung_call(std::size_t line);

}  // namespace weir::host
