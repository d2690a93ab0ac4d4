#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::host {

/// The JSON of /status as people read it: a line about the host, why it is not ready, its plugins,
/// and a row for each task.
class StatusTable {
 public:
  /// Errc::invalid: it is not such JSON, so another version wrote it.
  static Result<StatusTable> read(std::string_view json);

  bool ready() const { return ready_; }
  const std::string& text() const { return text_; }

 private:
  bool ready_ = false;
  std::string text_;
};

/// A length of time in its two largest units: "3 ms", "1.5 s", "2m05s", "1h02m", "3d04h".
std::string readable_seconds(double seconds);

}  // namespace weir::host
