#pragma once

#include <string>
#include <vector>

#include "resolve/plugin.hpp"

namespace weir::host {

/// What is another between the State types of two builds of a plugin, a line each: fields and enum
/// values that come, go or are renamed.
std::vector<std::string> state_schema_changes(const PluginFile& before, const PluginFile& after);

}  // namespace weir::host
