#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace weir::host {

/// What became of one scalar.
struct Substituted {
  struct Problem {
    std::string form;  ///< as it stands in the scalar, to find its column
    std::string message;
    std::string hint;
  };
  std::string text;
  bool from_file = false;  ///< a secret, most likely: not to be shown
  std::vector<Problem> problems;
};

/// `${VAR}`, `${VAR:-default}` (also when VAR is empty), `${file:path}` (relative to `directory`;
/// one newline at the end stripped) and `$$` in an already parsed scalar. What comes in is never
/// looked at again, so a variable can bring neither YAML nor further substitutions.
Substituted substitute(std::string_view scalar, const std::filesystem::path& directory);

/// `text` so that substitute() gives it back unchanged.
std::string without_substitution(std::string_view text);

/// A file that ${file:} reads may have at most this.
inline constexpr std::size_t substituted_file_bytes_max = 64 << 10;

}  // namespace weir::host
