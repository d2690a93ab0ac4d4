#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "log/log.hpp"

namespace weir::host {

/// One record as a line of JSON says it; what is absent there is absent here.
struct LineRecord {
  struct NamedHeader {
    std::string name;
    std::optional<std::string> value;
  };
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<NamedHeader> headers;
  std::optional<std::int64_t> timestamp_ms;
  std::optional<std::int32_t> partition;
};

/// Reads the lines that `weir produce` takes and `weir consume` prints. Keeps scratch memory. One
/// thread.
class RecordLineReader {
 public:
  RecordLineReader();
  ~RecordLineReader();

  /// Errc::invalid says what does not fit, without the line's number.
  Result<LineRecord> read(std::string_view line);

  /// The value at top-level field `field` of the JSON object `json`: a string's characters, or the
  /// JSON text of anything else.
  Result<std::string> field_of(std::string_view json, const std::string& field);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The line for a record; `value_json` stands for its value where that is known to be a message.
std::string record_line(std::int32_t partition, const Record& record,
                        const std::optional<std::string>& value_json);

}  // namespace weir::host
