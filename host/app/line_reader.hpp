#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::host {

/// Lines of a file descriptor. Knows whether the next line would have to be waited for, so that
/// what somebody types becomes records at once and what comes from a file goes in large batches.
class LineReader {
 public:
  explicit LineReader(int fd) : fd_(fd) {}

  enum class Next { line, end };

  /// The next line without its end, valid until the next call. Errc::invalid: it is longer than a
  /// record may be. A last line without newline is a line.
  Result<Next> next(std::string_view& line);

  /// Whether next() would wait for input.
  bool would_wait();

 private:
  Result<bool> fill();
  std::size_t find_end();

  int fd_;
  std::string buffer_;
  std::size_t start_ = 0;
  std::size_t searched_ = 0;  // no newline in [start_, searched_)
  bool ended_ = false;
};

}  // namespace weir::host
