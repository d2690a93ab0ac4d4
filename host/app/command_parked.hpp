#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/exit_code.hpp"
#include "app/output.hpp"
#include "weir/v1/task.pb.h"

namespace weir::host {

struct ParkedOptions {
  std::filesystem::path config;
  std::filesystem::path directory;  ///< list: instead, the state directory itself
  std::string resolver;             ///< empty: all
  std::vector<std::string> keys;    ///< retry, drop: these, or
  bool all = false;                 ///< all that wait, also records without a key
  bool whole = false;               ///< drop: every record of a key, not the first one alone
  bool dry_run = false;
  OutputFormat format = OutputFormat::text;
};

/// `weir parked list`: keys that wait, while a host runs or not.
ExitCode command_parked_list(const ParkedOptions& options);

/// `weir parked retry KEY...`: they are due now, with all their tries; beside a host, or when one
/// runs. ExitCode::unavailable: a key does not wait; then nothing was changed. ExitCode::failed:
/// some have gone on meanwhile, or their task cannot; stderr names them.
ExitCode command_parked_retry(const ParkedOptions& options);

/// `weir parked drop KEY...`: their first records are gone, once they were printed; the next ones
/// are due now. The same.
ExitCode command_parked_drop(const ParkedOptions& options);

/// Of a key, as lines for people say it.
std::string name_of(const v1::ParkedKey& key);

}  // namespace weir::host
