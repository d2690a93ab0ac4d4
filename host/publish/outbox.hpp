#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "log/log.hpp"

namespace weir::host {

/// One feature or dead letter on its way out: final bytes, so that a restart with other code
/// publishes exactly what was committed.
struct OutboxEntry {
  std::uint16_t sink = 0;  ///< index into the sinks that the writer was made with
  std::int64_t timestamp_ms = 0;
  MaybeBytes key;
  MaybeBytes value;
  std::span<const Header> headers;
};

/// What one commit sends out, in order, encoded as the store keeps it (host/docs/record-format.md,
/// outbox). [task], and between a commit and its publication the publisher's.
class OutboxWriter {
 public:
  /// The names travel in every chunk, so that indexes mean the same after a restart.
  explicit OutboxWriter(std::vector<std::string> sinks);

  void append(const OutboxEntry& entry);

  /// A point to come back to; valid until the next clear().
  struct Position {
    std::size_t chunks = 0;
    std::size_t last_bytes = 0;
    std::size_t entries = 0;
    std::size_t bytes = 0;
  };
  Position position() const;
  void truncate(Position position);

  std::vector<std::string_view> chunks() const;
  std::size_t bytes() const { return bytes_; }
  std::size_t entry_count() const { return entries_; }
  bool empty() const { return entries_ == 0; }

  /// Empty again; keeps its memory.
  void clear();

 private:
  std::string header_;
  std::vector<std::string> chunks_;
  std::size_t used_ = 0;  // chunks in use
  std::size_t entries_ = 0;
  std::size_t bytes_ = 0;  // of all chunks in use
};

/// Calls `visit` for every entry of `chunk` with the name of its sink. Views into `chunk`.
/// Errc::corrupt: it is not an outbox chunk.
Result<void> read_outbox(
    std::string_view chunk,
    const std::function<Result<void>(std::string_view sink, const OutboxEntry& entry)>& visit);

/// The sink of dead letters; not a name that an app can give.
inline constexpr std::string_view dead_letter_sink = "#deadletters";

}  // namespace weir::host
