#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>

#include "reload/refusal.hpp"
#include "resolve/plugin.hpp"
#include "resolve/schemas.hpp"

namespace weir::host {

/// A plugin file that was read once and may be loaded; none of its code has run.
struct Staged {
  PluginFile file;
  std::filesystem::path copy;  ///< the very bytes that were checked, where nobody else writes
  std::optional<Schemas> schemas;
};

/// Reads `path` once, checks owner, mode, the hash that is asked for (may be empty) and what can be
/// checked without running any of its code, and keeps the bytes as `<copies>/<sha256>.so`.
/// [control]
std::variant<Staged, Refusal> stage_plugin(const std::filesystem::path& path,
                                           const std::string& sha256,
                                           const std::filesystem::path& copies);

}  // namespace weir::host
