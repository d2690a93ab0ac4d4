#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/exit_code.hpp"
#include "app/output.hpp"

namespace weir::host {

struct PluginOptions {
  std::filesystem::path file;
  OutputFormat format = OutputFormat::text;
  std::optional<std::uint64_t> seed;  ///< of `check`; absent: a random one
  std::vector<std::string> settings;  ///< of `check`: RESOLVER=JSON
  std::filesystem::path previous;     ///< of `check`: the build before; may be empty
};

/// `weir plugin inspect`: what the file says of itself; runs none of its code.
ExitCode command_plugin_inspect(const PluginOptions& options);

/// `weir plugin check`: loads it in child processes and calls every slot.
ExitCode command_plugin_check(const PluginOptions& options);

/// The first word of a command line that is such a child; not for people.
inline constexpr std::string_view plugin_check_child_word = "__plugin-check-child";

/// The child's half of `weir plugin check`; `arguments` are what follows the word.
int command_plugin_check_child(std::span<const std::string> arguments);

}  // namespace weir::host
