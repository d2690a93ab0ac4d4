#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace weir::host {

/// A name in a directory is durable once the directory is: fsync(2) of a directory.
Result<void> sync_directory(const std::filesystem::path& path);

/// Makes `path` and its missing parents, durably. Not an error if it exists.
Result<void> make_durable_directory(const std::filesystem::path& path);

/// Writes `text` as the whole of `path`, durably, or changes nothing: by a draft beside it.
Result<void> write_durable_file(const std::filesystem::path& path, std::string_view text);

}  // namespace weir::host
