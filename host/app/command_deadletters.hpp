#pragma once

#include <cstdint>
#include <string>

#include "app/exit_code.hpp"
#include "app/open.hpp"
#include "app/output.hpp"

namespace weir::host {

struct DeadLettersOptions {
  LogOptions log;
  std::string topic;        ///< empty: the app's
  std::string error;        ///< list: only of this kind, such as undecodable
  std::string id;           ///< show: partition:offset
  std::uint64_t limit = 0;  ///< list: the newest so many; 0: all
  OutputFormat format = OutputFormat::text;
};

/// `weir deadletters list`: one line each.
ExitCode command_deadletters_list(const DeadLettersOptions& options);

/// `weir deadletters show ID`: everything about one. ExitCode::failed: there is none.
ExitCode command_deadletters_show(const DeadLettersOptions& options);

}  // namespace weir::host
