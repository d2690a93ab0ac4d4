#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::host {

/// A plugin's file is read whole, so that the bytes that are hashed, linted and copied are the
/// same.
inline constexpr std::uint64_t plugin_file_bytes_max = std::uint64_t{512} << 20;

/// Follows symbolic links: deployments point at a plugin through one, and the host loads only bytes
/// that it has read and hashed itself. Errc::not_found, Errc::io, or Errc::refused for what is no
/// regular file or too large.
Result<std::string> read_plugin_bytes(const std::filesystem::path& path);

std::string sha256_hex(std::string_view bytes);

}  // namespace weir::host
