#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "app/exit_code.hpp"
#include "app/open.hpp"
#include "app/output.hpp"

namespace weir::host {

struct DeadLettersOptions {
  LogOptions log;
  std::string topic;             ///< empty: the app's
  std::string error;             ///< list: only of this kind, such as undecodable
  std::vector<std::string> ids;  ///< show: one; retry: those to send back; partition:offset
  std::uint64_t limit = 0;       ///< list: the newest so many; 0: all
  OutputFormat format = OutputFormat::text;
};

/// `weir deadletters list`: one line each.
ExitCode command_deadletters_list(const DeadLettersOptions& options);

/// `weir deadletters show ID`: everything about one. ExitCode::failed: there is none.
ExitCode command_deadletters_show(const DeadLettersOptions& options);

struct RetryOptions {
  DeadLettersOptions letters;   ///< those named, or of a kind
  bool all = false;             ///< every letter, in place of ids
  std::string resolver;         ///< only those that it refused
  std::filesystem::path state;  ///< in place of the YAML's
  bool again = false;           ///< also those that were sent back before
  bool dry_run = false;
};

/// `weir deadletters retry`: sends letters back to the resolvers that refused them, in their order,
/// whether a host runs or not. Those of timers cannot be: `all` leaves them out.
/// ExitCode::failed: some could not be sent; none was.
ExitCode command_deadletters_retry(const RetryOptions& options);

}  // namespace weir::host
