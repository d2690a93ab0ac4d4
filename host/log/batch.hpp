#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/arena.hpp"
#include "log/log.hpp"

namespace weir::host {

/// Records are stored and read in batches; host/docs/embedded-log-format.md has the grammar.

/// Where a batch belongs. It is part of its checksum: a batch in another one's place is corrupt.
struct BatchPlace {
  std::string_view topic;  ///< for messages only
  std::uint32_t topic_id = 0;
  std::int32_t partition = 0;
  std::int64_t base_offset = 0;
};

inline constexpr std::size_t batch_header_bytes = 40;

/// Appends are cut into batches of about this size: large enough that looking one up costs nothing
/// per record, small enough that a seek into its middle is cheap.
inline constexpr std::size_t batch_target_bytes = std::size_t{256} << 10;

/// What `record` adds to its batch.
std::size_t encoded_bytes(const NewRecord& record);

/// Writes `records` as one batch to `out`, which has room for batch_header_bytes and the
/// encoded_bytes() of each.
void encode_batch(const BatchPlace& place, std::span<const NewRecord* const> records, char* out);

/// XXH3 of stored bytes, together with the key they are stored under.
std::uint64_t checksum(std::string_view key, std::string_view bytes);

/// One batch as it is stored; a view of it.
class BatchView {
 public:
  /// Checks the header, not the records. Errc::corrupt names topic, partition and offset.
  static Result<BatchView> open(const BatchPlace& place, std::string_view bytes);

  std::int64_t base_offset() const { return place_.base_offset; }
  std::int64_t end_offset() const { return place_.base_offset + count_; }
  std::int64_t max_timestamp_ms() const { return max_timestamp_ms_; }

  /// Checks the records; costs about 0.1 ns a byte.
  Result<void> verify() const;

  /// Where a record of the batch begins.
  struct Cursor {
    std::int64_t offset = 0;
    std::size_t byte = 0;
  };
  Cursor begin() const { return {place_.base_offset, 0}; }

  /// What the record at `cursor` takes of a fetch's bytes. Not at the end.
  std::size_t size_at(const Cursor& cursor) const;

  /// Moves over one record. Errc::corrupt: the bytes do not follow the grammar.
  Result<void> skip(Cursor& cursor) const;

  /// The record at `cursor`, and moves on. Its headers live in `headers`, all else in the batch.
  Result<void> next(Cursor& cursor, Arena& headers, Record& out) const;

  /// The first record at or after `from` with this timestamp or a later one; end_offset() if none.
  Result<std::int64_t> offset_at(std::int64_t from, std::int64_t timestamp_ms) const;

 private:
  Error corrupt(std::string_view what, std::int64_t offset) const;

  BatchPlace place_;
  std::string_view body_;
  std::uint64_t body_checksum_ = 0;
  std::int64_t max_timestamp_ms_ = 0;
  std::int64_t count_ = 0;
};

/// What one fetch() hands out.
class FetchBuffer {
 public:
  void start(FetchLimit limit);

  /// Takes records from `cursor` on until the batch ends or the limit is reached.
  Result<void> take(const BatchView& batch, BatchView::Cursor& cursor);

  bool full() const { return full_; }
  std::span<const Record> records() const { return records_; }

 private:
  FetchLimit limit_;
  std::vector<Record> records_;
  Arena headers_;
  std::size_t bytes_ = 0;
  bool full_ = false;
};

}  // namespace weir::host
