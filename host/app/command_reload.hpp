#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "app/exit_code.hpp"
#include "app/output.hpp"
#include "reload/reloader.hpp"

namespace weir::host {

struct ReloadOptions {
  std::filesystem::path config;
  std::filesystem::path directory;  ///< of the State, in place of what the YAML says
  std::string plugin;
  std::filesystem::path from;
  std::string sha256;
  bool dry_run = false;
  bool rollback = false;
  std::string timeout = "10s";
  std::string kill_at;  ///< migrate without a host: tests stop it there
  OutputFormat format = OutputFormat::text;
};

/// `weir reload`, `weir plugin load` and `weir plugin activate`: asks the running host, and waits
/// for what comes of it.
ExitCode command_reload(const ReloadOptions& options, ReloadRequest::What what);

/// Where the options say that the State is. Errc::usage: they do not.
Result<std::filesystem::path> state_of(const ReloadOptions& options);

/// POSTs `body` to `path` of the control socket of the host that runs on the state directory.
/// Errc::unavailable: there is none; `without` says what that means. Errc::refused.
Result<std::string> ask_host(const std::filesystem::path& state, const std::string& path,
                             std::string body, std::chrono::milliseconds deadline,
                             std::string_view without);

/// The first word of a command line that tries a build for a host; not for people.
inline constexpr std::string_view probe_child_word = "__reload-probe-child";

/// `weir plugin history`: from the state directory, with a host or without.
ExitCode command_plugin_history(const ReloadOptions& options);

}  // namespace weir::host
