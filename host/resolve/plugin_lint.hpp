#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "resolve/plugin.hpp"

namespace weir::host {

/// A plugin's file is read whole, so that the bytes that are hashed, linted and copied are the
/// same.
inline constexpr std::uint64_t plugin_file_bytes_max = std::uint64_t{512} << 20;

/// One thing that is wrong with a plugin, or that its author should know.
struct PluginFinding {
  std::string rule;  ///< one word: file, exports, unload, runtime, manifest, ...
  std::string text;  ///< what was found and how to fix it
};

struct LintReport {
  PluginFile file;  ///< as far as it could be read
  std::vector<PluginFinding> refusals;
  std::vector<PluginFinding> warnings;
};

/// The rules in the order in which they are checked; every finding has one of them.
inline constexpr std::string_view lint_rules[] = {"file",     "exports",   "unload", "runtime",
                                                  "protobuf", "manifest",  "abi",    "schemas",
                                                  "types",    "libraries", "imports"};

/// Follows symbolic links: deployments point at a plugin through one, and the host loads only bytes
/// that it has read and hashed itself. Errc::not_found, Errc::io, or Errc::refused for what is no
/// regular file or too large.
Result<std::string> read_file_bytes(const std::filesystem::path& path);

/// Every rule over `bytes`; runs none of their code. `path` is for messages.
LintReport lint_plugin(const std::filesystem::path& path, std::string_view bytes);

/// The refusals as one Error that names the file; only for a report that has some.
Error refusal(const LintReport& report);

}  // namespace weir::host
