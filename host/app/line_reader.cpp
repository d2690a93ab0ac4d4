#include "app/line_reader.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/limits.hpp"

namespace weir::host {

namespace {
constexpr std::size_t read_bytes = std::size_t{256} << 10;
}

std::size_t LineReader::find_end() {
  const std::size_t end = buffer_.find('\n', std::max(start_, searched_));
  searched_ = end == buffer_.npos ? buffer_.size() : end;
  return end;
}

Result<bool> LineReader::fill() {
  if (ended_) return false;
  buffer_.erase(0, start_);
  searched_ -= start_;
  start_ = 0;
  // The envelope around a value may take as much as the value.
  if (buffer_.size() > 2 * value_bytes_max) {
    return error(Errc::invalid, "the line has more than {} bytes", 2 * value_bytes_max);
  }
  const std::size_t before = buffer_.size();
  buffer_.resize(before + read_bytes);
  ssize_t count = 0;
  do {
    count = ::read(fd_, buffer_.data() + before, read_bytes);
  } while (count < 0 && errno == EINTR);
  const int code = errno;
  buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (count < 0) return error(Errc::io, "cannot read the input: {}", std::strerror(code));
  ended_ = count == 0;
  return !ended_;
}

Result<LineReader::Next> LineReader::next(std::string_view& line) {
  std::size_t end = find_end();
  while (end == buffer_.npos) {
    WEIR_TRY(const bool more, fill());
    if (!more) {
      if (start_ == buffer_.size()) return Next::end;
      end = buffer_.size();
      break;
    }
    end = find_end();
  }
  line = std::string_view(buffer_).substr(start_, end - start_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  start_ = std::min(end + 1, buffer_.size());
  return Next::line;
}

bool LineReader::would_wait() {
  if (find_end() != buffer_.npos || ended_) return false;
  pollfd waiting{fd_, POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 0;
}

}  // namespace weir::host
