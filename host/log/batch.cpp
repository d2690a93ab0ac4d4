#include "log/batch.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <new>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace weir::host {
namespace {

constexpr char batch_format = 1;
constexpr std::uint32_t absent = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t record_prefix_bytes = 20;
constexpr std::size_t header_prefix_bytes = 8;

// The batch header: byte positions.
constexpr std::size_t count_at = 4;
constexpr std::size_t max_timestamp_at = 8;
constexpr std::size_t body_bytes_at = 16;
constexpr std::size_t body_checksum_at = 24;
constexpr std::size_t header_checksum_at = 32;

std::size_t size_of(const MaybeBytes& bytes) { return bytes ? bytes->size() : 0; }

template <typename T>
void put(char*& at, T value) {
  __builtin_memcpy(at, &value, sizeof value);
  at += sizeof value;
}

void put_size(char*& at, const MaybeBytes& bytes) {
  put(at, bytes ? static_cast<std::uint32_t>(bytes->size()) : absent);
}

void put_bytes(char*& at, std::string_view bytes) {
  if (!bytes.empty()) __builtin_memcpy(at, bytes.data(), bytes.size());
  at += bytes.size();
}

void put_record(char*& at, const NewRecord& record) {
  put(at, record.timestamp_ms);
  put_size(at, record.key);
  put_size(at, record.value);
  put(at, static_cast<std::uint32_t>(record.headers.size()));
  for (const Header& header : record.headers) {
    put(at, static_cast<std::uint32_t>(header.name.size()));
    put_size(at, header.value);
    put_bytes(at, header.name);
    if (header.value) put_bytes(at, *header.value);
  }
  if (record.key) put_bytes(at, *record.key);
  if (record.value) put_bytes(at, *record.value);
}

std::uint64_t header_checksum(const BatchPlace& place, const char* header) {
  char bytes[16 + header_checksum_at];
  char* at = bytes;
  put(at, place.topic_id);
  put(at, place.partition);
  put(at, place.base_offset);
  put_bytes(at, {header, header_checksum_at});
  return XXH3_64bits(bytes, sizeof bytes);
}

/// Reads forward through bytes that may be shorter than they claim.
struct Scanner {
  const char* at;
  const char* end;

  bool take(std::size_t size, std::string_view& out) {
    if (size > static_cast<std::size_t>(end - at)) return false;
    out = {at, size};
    at += size;
    return true;
  }
  bool take_sized(std::uint32_t size, MaybeBytes& out) {
    if (size == absent) {
      out.reset();
      return true;
    }
    return take(size, out.emplace());
  }
};

/// Reads `count` headers; null `out` skips them.
bool scan_headers(Scanner& scanner, std::uint32_t count, Header* out) {
  for (std::uint32_t i = 0; i < count; ++i) {
    std::string_view prefix;
    if (!scanner.take(header_prefix_bytes, prefix)) return false;
    Header header;
    if (!scanner.take(load_le<std::uint32_t>(prefix.data()), header.name)) return false;
    if (!scanner.take_sized(load_le<std::uint32_t>(prefix.data() + 4), header.value)) return false;
    if (out != nullptr) std::construct_at(out + i, header);
  }
  return true;
}

bool scan_record(Scanner& scanner, Arena* headers, Record& out) {
  std::string_view prefix;
  if (!scanner.take(record_prefix_bytes, prefix)) return false;
  out.timestamp_ms = load_le<std::int64_t>(prefix.data());
  const auto key_bytes = load_le<std::uint32_t>(prefix.data() + 8);
  const auto value_bytes = load_le<std::uint32_t>(prefix.data() + 12);
  const auto header_count = load_le<std::uint32_t>(prefix.data() + 16);
  out.headers = {};
  if (header_count != 0) {
    const auto left = static_cast<std::size_t>(scanner.end - scanner.at);
    if (header_count > left / header_prefix_bytes) return false;
    Header* first = nullptr;
    if (headers != nullptr) {
      first = reinterpret_cast<Header*>(headers->allocate(header_count * sizeof(Header)));
      out.headers = {first, header_count};
    }
    if (!scan_headers(scanner, header_count, first)) return false;
  }
  return scanner.take_sized(key_bytes, out.key) && scanner.take_sized(value_bytes, out.value);
}

}  // namespace

std::uint64_t checksum(std::string_view key, std::string_view bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), XXH3_64bits(key.data(), key.size()));
}

std::size_t encoded_bytes(const NewRecord& record) {
  std::size_t out = record_prefix_bytes + size_of(record.key) + size_of(record.value);
  for (const Header& header : record.headers) {
    out += header_prefix_bytes + header.name.size() + size_of(header.value);
  }
  return out;
}

void encode_batch(const BatchPlace& place, std::span<const NewRecord* const> records, char* out) {
  char* at = out + batch_header_bytes;
  std::int64_t max_timestamp_ms = std::numeric_limits<std::int64_t>::min();
  for (const NewRecord* record : records) {
    max_timestamp_ms = std::max(max_timestamp_ms, record->timestamp_ms);
    put_record(at, *record);
  }
  const char* body = out + batch_header_bytes;
  const auto body_bytes = static_cast<std::size_t>(at - body);

  at = out;
  put(at, batch_format);
  put_bytes(at, {"\0\0\0", 3});
  put(at, static_cast<std::uint32_t>(records.size()));
  put(at, max_timestamp_ms);
  put(at, static_cast<std::uint64_t>(body_bytes));
  put(at, std::uint64_t{XXH3_64bits(body, body_bytes)});
  put(at, header_checksum(place, out));
}

Error BatchView::corrupt(std::string_view what, std::int64_t offset) const {
  return error(Errc::corrupt,
               "topic '{}' partition {} offset {} (batch at {}): {}; the log's file was damaged, "
               "restore it or start again in an empty directory",
               place_.topic, place_.partition, offset, place_.base_offset, what);
}

Result<BatchView> BatchView::open(const BatchPlace& place, std::string_view bytes) {
  BatchView out;
  out.place_ = place;
  if (bytes.size() < batch_header_bytes) {
    return out.corrupt("the batch is shorter than its header", place.base_offset);
  }
  if (header_checksum(place, bytes.data()) !=
      load_le<std::uint64_t>(bytes.data() + header_checksum_at)) {
    return out.corrupt("the checksum of the batch header does not fit", place.base_offset);
  }
  if (bytes[0] != batch_format) {
    return error(Errc::corrupt,
                 "topic '{}' partition {} offset {}: the batch has format {}, this version reads "
                 "{}; use the version that wrote it",
                 place.topic, place.partition, place.base_offset, static_cast<int>(bytes[0]),
                 static_cast<int>(batch_format));
  }
  out.body_ = bytes.substr(batch_header_bytes);
  if (load_le<std::uint64_t>(bytes.data() + body_bytes_at) != out.body_.size()) {
    return out.corrupt("the batch has another size than its header says", place.base_offset);
  }
  out.count_ = load_le<std::uint32_t>(bytes.data() + count_at);
  out.max_timestamp_ms_ = load_le<std::int64_t>(bytes.data() + max_timestamp_at);
  out.body_checksum_ = load_le<std::uint64_t>(bytes.data() + body_checksum_at);
  return out;
}

Result<void> BatchView::verify() const {
  if (XXH3_64bits(body_.data(), body_.size()) == body_checksum_) return {};
  return corrupt("the checksum of the records does not fit", place_.base_offset);
}

Result<void> BatchView::skip(Cursor& cursor) const {
  Scanner scanner{body_.data() + cursor.byte, body_.data() + body_.size()};
  Record ignored;
  if (!scan_record(scanner, nullptr, ignored)) {
    return corrupt("the record does not follow the grammar", cursor.offset);
  }
  cursor.byte = static_cast<std::size_t>(scanner.at - body_.data());
  ++cursor.offset;
  return {};
}

Result<void> BatchView::next(Cursor& cursor, Arena& headers, Record& out) const {
  Scanner scanner{body_.data() + cursor.byte, body_.data() + body_.size()};
  if (!scan_record(scanner, &headers, out)) {
    return corrupt("the record does not follow the grammar", cursor.offset);
  }
  out.offset = cursor.offset;
  cursor.byte = static_cast<std::size_t>(scanner.at - body_.data());
  ++cursor.offset;
  return {};
}

std::size_t BatchView::size_at(const Cursor& cursor) const {
  if (body_.size() - cursor.byte < record_prefix_bytes) return 0;
  const char* prefix = body_.data() + cursor.byte;
  const auto sized = [&](std::size_t at) {
    const auto size = load_le<std::uint32_t>(prefix + at);
    return size == absent ? std::size_t{0} : std::size_t{size};
  };
  return record_prefix_bytes + sized(8) + sized(12);
}

Result<std::int64_t> BatchView::offset_at(std::int64_t from, std::int64_t timestamp_ms) const {
  WEIR_CHECK(verify());
  Cursor cursor = begin();
  while (cursor.offset < end_offset()) {
    const std::size_t byte = cursor.byte;
    WEIR_CHECK(skip(cursor));
    if (cursor.offset > from && load_le<std::int64_t>(body_.data() + byte) >= timestamp_ms) {
      return cursor.offset - 1;
    }
  }
  return end_offset();
}

void FetchBuffer::start(FetchLimit limit) {
  limit_ = limit;
  limit_.records = std::max<std::size_t>(limit.records, 1);
  records_.clear();
  headers_.reset();
  bytes_ = 0;
  full_ = false;
}

Result<void> FetchBuffer::take(const BatchView& batch, BatchView::Cursor& cursor) {
  while (cursor.offset < batch.end_offset()) {
    const std::size_t size = batch.size_at(cursor);
    full_ = !records_.empty() && bytes_ + size > limit_.bytes;
    if (full_) return {};
    if (auto read = batch.next(cursor, headers_, records_.emplace_back()); !read) {
      records_.pop_back();
      return read;
    }
    bytes_ += size;
    full_ = records_.size() >= limit_.records;
    if (full_) return {};
  }
  return {};
}

}  // namespace weir::host
