#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace weir::host {

/// What goes to the child of `plugin check`, and how: as arguments.
struct CheckRequest {
  std::filesystem::path path;
  std::filesystem::path previous;  ///< the build before; may be empty
  std::filesystem::path copy_directory;
  std::string nonce;  ///< starts every line of the answer: an exit code alone proves nothing
  std::uint64_t seed = 0;
  std::size_t first_check = 0;
  std::uint64_t seconds_max = 0;                ///< of processor time
  std::uint64_t check_ms_max = 0;               ///< for one check
  std::map<std::string, std::string> settings;  ///< by resolver

  std::vector<std::string> to_arguments() const;
  static std::optional<CheckRequest> from_arguments(std::span<const std::string> arguments);
};

/// The descriptor on which the child answers, one line an event:
///   NONCE begin INDEX | NONCE fail TEXT | NONCE warn TEXT | NONCE end TEXT |
///   NONCE cause TEXT (why the process is about to crash) | NONCE done
/// In TEXT a backslash and a line end are written as \\ and \n.
inline constexpr int check_answer_descriptor = 3;

std::string escape_line(std::string_view text);
std::string unescape_line(std::string_view line);

/// How a child process ended and what it said.
struct ChildEnd {
  std::string how;   ///< "SIGSEGV", "exit code 3", "no answer for 2000 ms"
  std::string said;  ///< the last of stdout and stderr
};

/// Starts `command` with its descriptor 3 as a pipe, hands each complete line that arrives there to
/// `line`, and kills the child when none came for `silence_max`. Returns when the child is gone.
Result<ChildEnd> run_child(const std::vector<std::string>& command,
                           std::chrono::milliseconds silence_max,
                           const std::function<void(std::string_view)>& line);

}  // namespace weir::host
