#pragma once

#include <filesystem>

#include "app/exit_code.hpp"
#include "app/output.hpp"

namespace weir::host {

struct PluginOptions {
  std::filesystem::path file;
  OutputFormat format = OutputFormat::text;
};

/// `weir plugin inspect`: what the file says of itself; runs none of its code.
ExitCode command_plugin_inspect(const PluginOptions& options);

/// `weir plugin check`: loads it in a child process and calls every slot.
ExitCode command_plugin_check(const PluginOptions& options);

}  // namespace weir::host
