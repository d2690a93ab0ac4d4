#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "supervise/journal.hpp"
#include "supervise/worker_process.hpp"
#include "weir/v1/crash.pb.h"

namespace weir::host {

/// So many are kept; the oldest go.
constexpr std::size_t crash_reports_max = 1000;

/// What `journal` tells of how its process ended, which it has. `end` null: only the journal knows.
/// Absent: not by a crash. The verdict says whether it is of a plugin's own making:
///
/// counted: SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGABRT that the process has raised itself, an exit,
/// or the watchdog's verdict, all of them inside a call of a plugin's slot. A process that has
/// ended so without a mark was in no state to leave one: that counts where one call only was in
/// flight. Never: SIGKILL, a stop, a signal that another process has sent.
std::optional<v1::CrashReport> read_crash(const Journal& journal, const ProcessEnd* end);

/// One line: whose code, where, on what.
std::string headline(const v1::CrashReport& report);

/// What a person reads of it.
std::string text_of(const v1::CrashReport& report);
Result<std::string> json_of(const v1::CrashReport& report);

/// <state>/crashes/<id>.json.
Result<void> write_crash_report(const std::filesystem::path& state, const v1::CrashReport& report);
/// All that are there, oldest first. One that cannot be read is left out, and said in `warnings`.
std::vector<v1::CrashReport> read_crash_reports(const std::filesystem::path& state,
                                                std::vector<std::string>& warnings);
/// The record's counts begin anew. Errc::not_found.
Result<void> forget_crash_report(const std::filesystem::path& state, const std::string& id);

/// Without a supervisor the journal is this file.
std::filesystem::path journal_file(const std::filesystem::path& state);
/// The crash that a process without a supervisor has left in its journal, if it has left one.
Result<std::optional<v1::CrashReport>> unsettled_crash(const std::filesystem::path& state);

}  // namespace weir::host
