#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "config/document.hpp"

namespace weir::host {

/// The position of the value at a dotted path, or of the nearest thing around it that the file
/// says.
Position position_at(const Document& document, std::string_view path);

/// Fills what depends on other settings: the log's kind, the dead-letter topic, the formats of
/// sinks.
void complete_app(config::v1::App& app);

/// What the schema cannot say: names that refer to others, topics that would loop, settings that
/// exclude each other. Errors and warnings. `app` is bound and complete.
std::vector<Finding> check_app(const Document& document, const config::v1::App& app,
                               const std::filesystem::path& directory);

}  // namespace weir::host
