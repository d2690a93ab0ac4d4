#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "app/exit_code.hpp"
#include "app/output.hpp"

namespace weir::host {

struct StateOptions {
  std::filesystem::path config;     ///< either this
  std::filesystem::path directory;  ///< or the state directory itself
  std::string resolver;             ///< empty: all
  std::string key;                  ///< get
  std::string prefix;               ///< list, export
  std::uint64_t limit = 0;          ///< list, export; 0: all
  OutputFormat format = OutputFormat::text;
};

/// `weir state get KEY`: JSON on stdout. ExitCode::failed: no resolver has State for the key.
ExitCode command_state_get(const StateOptions& options);

/// `weir state list`: keys and sizes.
ExitCode command_state_list(const StateOptions& options);

/// `weir state export`: one JSON object a line, with the State in it.
ExitCode command_state_export(const StateOptions& options);

}  // namespace weir::host
