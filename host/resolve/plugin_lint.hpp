#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "resolve/plugin.hpp"

namespace weir::host {

/// One thing that is wrong with a plugin, or that its author should know.
struct PluginFinding {
  std::string rule;  ///< one word: file, exports, unload, runtime, manifest, ...
  std::string text;  ///< what was found and how to fix it
};

struct LintReport {
  PluginFile file;                 ///< as far as it could be read
  std::vector<std::string> rules;  ///< that were checked, in this order
  std::vector<PluginFinding> refusals;
  std::vector<PluginFinding> warnings;
  std::vector<PluginFinding> passed;  ///< rules that have nothing to say, with what they saw
};

/// Every rule over `bytes`; runs none of their code. `path` is for messages.
LintReport lint_plugin(const std::filesystem::path& path, std::string_view bytes);

/// The refusals as one Error that names the file; only for a report that has some.
Error refusal(const LintReport& report);

}  // namespace weir::host
