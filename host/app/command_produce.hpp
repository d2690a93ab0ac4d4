#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "app/exit_code.hpp"
#include "app/open.hpp"

namespace weir::host {

struct ProduceOptions {
  LogOptions log;
  std::string topic;
  std::filesystem::path file;   ///< empty or "-": standard input
  bool raw = false;             ///< each line is a value
  std::string key_field;        ///< top-level JSON field of the value that is the key
  std::int32_t partitions = 0;  ///< of a topic that is made; 0: as the app says, else 1
  std::uint64_t rate = 0;       ///< records per second; 0: as fast as possible
};

/// `weir produce TOPIC [FILE]`: lines to records. ExitCode::data names the first line that does not
/// fit; the records before it are in the topic.
ExitCode command_produce(const ProduceOptions& options);

}  // namespace weir::host
