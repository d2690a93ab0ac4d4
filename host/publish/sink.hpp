#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "log/partitioner.hpp"

namespace weir::host {

/// Where the entries of one outbox sink go.
struct TopicSink {
  std::string topic;
  std::int32_t partition_count = 1;
  std::optional<Partitioner> partitioner = Partitioner::murmur2;  ///< absent: the task's partition
};

/// A sink outside the log: takes lines, knows how far it has come. Used by one publisher thread.
class LineSink {
 public:
  virtual ~LineSink() = default;

  /// All of `lines` (each with its line end), or an error.
  virtual Result<void> append(std::string_view lines) = 0;

  /// What append() has made durable, to come back to after a crash; -1: cannot tell.
  virtual std::int64_t position() const = 0;

  /// Takes back everything behind `position`, which a crash may have left there.
  /// Errc::refused: less than that is there; something else has changed the sink.
  virtual Result<void> restore(std::int64_t position) = 0;
};

/// Appends to a file; exact across crashes, because restore() cuts what was not acknowledged. The
/// file belongs to one task.
Result<std::unique_ptr<LineSink>> open_file_sink(const std::filesystem::path& path);

/// Standard output, shared by all tasks (whole publications do not mix). After a crash the lines of
/// the last commit may come again.
std::unique_ptr<LineSink> open_stdout_sink(std::mutex& stdout_mutex);

}  // namespace weir::host
