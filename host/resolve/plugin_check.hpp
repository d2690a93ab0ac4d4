#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "resolve/plugin.hpp"

namespace google::protobuf {
class Descriptor;
}

namespace weir::host {

enum class CheckStatus {
  pass,
  warn,   ///< works, but its author should know
  fail,   ///< breaks a rule
  crash,  ///< the process died of it, or did not come back in time
};

struct CheckResult {
  std::string name;
  CheckStatus status = CheckStatus::pass;
  std::string text;
};

/// What a file says of itself; nothing of it has run.
struct InspectReport {
  PluginFile file;  ///< as far as it could be read
  bool loadable = false;
  std::vector<CheckResult> lint;
  std::string schemas_text;  ///< its message types as .proto text, well-known ones left out
};

/// Works for files that would be refused, too. Errc::not_found, Errc::io, or Errc::refused for what
/// is no file that could be read.
Result<InspectReport> inspect_plugin(const std::filesystem::path& path);

struct CheckReport {
  PluginFile file;  ///< as far as it could be read
  std::uint64_t seed = 0;
  std::vector<CheckResult> results;

  /// No failure and no crash.
  bool passed() const;
  std::size_t count(CheckStatus status) const;
};

/// Why States written with one of two types would be misread with the other, a line each; none:
/// they go together. The rules belong to whoever keeps the States.
using StateConflicts = std::function<std::vector<std::string>(
    const google::protobuf::Descriptor& before, const google::protobuf::Descriptor& now)>;

struct CheckOptions {
  /// A program and its first arguments, which calls run_check_child() with the arguments that
  /// follow.
  std::vector<std::string> child_command;
  std::optional<std::uint64_t> seed;            ///< absent: a random one
  std::map<std::string, std::string> settings;  ///< by resolver, serialized settings messages
  std::chrono::milliseconds time_max{20'000};   ///< for one check
  /// The build before: its States must be read and, as far as the plugin says so, given back.
  std::optional<std::filesystem::path> previous;
  StateConflicts state_conflicts;  ///< not empty where there is `previous`
};

/// The settings message of `resolver` from its JSON, for CheckOptions. Errc::usage: the plugin has
/// no such resolver, it takes no settings, or the JSON does not fit.
Result<std::string> settings_from_json(const PluginFile& file, std::string_view resolver,
                                       std::string_view json);

/// Lints the file, then loads it in child processes and calls every slot with good and bad input: a
/// plugin that crashes, hangs or ends the process does so there, and the checks after it go on in a
/// new child. Returns when all is done, at the latest after `time_max` for each check.
/// An Error: a file cannot be read, the build before is no plugin that this host loads, or no child
/// can be started; what is wrong with the plugin is in the report.
Result<CheckReport> check_plugin(const std::filesystem::path& path, const CheckOptions& options);

/// The child's half. `arguments`: those that check_plugin() added. Returns the exit code.
int run_check_child(std::span<const std::string> arguments);

}  // namespace weir::host
