#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace weir::host {

/// The file `app` in a state directory says whose it is: "weir-state 1", then the app's name, a
/// line each. Absent: there is no such file. Errc::corrupt: it is something else, or newer.
Result<std::optional<std::string>> read_app_file(const std::filesystem::path& state_directory);

/// Writes it whole or not at all, and durably.
Result<void> write_app_file(const std::filesystem::path& state_directory, const std::string& app);

}  // namespace weir::host
