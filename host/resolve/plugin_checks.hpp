#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "resolve/process_state.hpp"

namespace weir::host {

/// What one check saw. Lines are for people.
struct CheckFindings {
  std::vector<std::string> failures;
  std::vector<std::string> warnings;
  std::string note;  ///< what was tried, where nothing is wrong
};

struct CheckSubject {
  std::filesystem::path path;
  std::filesystem::path copy_directory;
  std::uint64_t seed = 0;
  std::map<std::string, std::string> settings;  ///< by resolver, serialized
  std::filesystem::path previous;               ///< the build before; empty: none is known
  std::chrono::milliseconds time_max{};         ///< for one check
  ProcessState at_start;                        ///< before any code of the plugin ran
};

/// One check that runs code of the plugin, so only in a process that may die of it.
struct PluginCheck {
  std::string_view name;
  void (*run)(const CheckSubject& subject, CheckFindings& findings);
  bool needs_previous = false;  ///< left out where the subject has none
};

/// In the order in which they run; where the first one fails, the others have nothing to check.
std::span<const PluginCheck> plugin_checks();

}  // namespace weir::host
