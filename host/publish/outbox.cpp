#include "publish/outbox.hpp"

#include <array>

#include "base/assert.hpp"

namespace weir::host {

namespace {

constexpr char format_version = 1;
constexpr std::size_t chunk_bytes = std::size_t{256} << 10;
constexpr std::uint32_t absent_size = 0xffffffff;
constexpr std::size_t entry_bytes = 20;  // of an entry, before its key

template <typename T>
void store_le(char* to, T value) {
  __builtin_memcpy(to, &value, sizeof value);
}

std::uint32_t encoded_size(const MaybeBytes& bytes) {
  return bytes ? static_cast<std::uint32_t>(bytes->size()) : absent_size;
}

/// Takes fields off the front of a chunk; once it ran over the end, ok() stays false.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }

  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  template <typename T>
  T number() {
    const std::string_view bytes = take(sizeof(T));
    return ok_ ? load_le<T>(bytes.data()) : T{};
  }
  MaybeBytes maybe(std::uint32_t size) {
    if (size == absent_size) return std::nullopt;
    return take(size);
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

OutboxWriter::OutboxWriter(std::vector<std::string> sinks) {
  header_.push_back(format_version);
  append_le(header_, static_cast<std::uint16_t>(sinks.size()));
  for (const std::string& sink : sinks) {
    append_le(header_, static_cast<std::uint16_t>(sink.size()));
    header_ += sink;
  }
}

void OutboxWriter::append(const OutboxEntry& entry) {
  if (used_ == 0 || chunks_[used_ - 1].size() >= chunk_bytes) {
    if (used_ == chunks_.size()) chunks_.emplace_back().reserve(chunk_bytes + chunk_bytes / 8);
    chunks_[used_++] = header_;
    bytes_ += header_.size();
  }
  std::string& out = chunks_[used_ - 1];
  const std::size_t before = out.size();
  // One append for all that has a fixed size.
  std::array<char, entry_bytes> fixed;
  store_le(&fixed[0], entry.sink);
  store_le(&fixed[2], static_cast<std::uint16_t>(entry.headers.size()));
  store_le(&fixed[4], entry.timestamp_ms);
  store_le(&fixed[12], encoded_size(entry.key));
  store_le(&fixed[16], encoded_size(entry.value));
  out.append(fixed.data(), fixed.size());
  if (entry.key) out += *entry.key;
  if (entry.value) out += *entry.value;
  for (const Header& header : entry.headers) {
    append_le(out, static_cast<std::uint32_t>(header.name.size()));
    append_le(out, encoded_size(header.value));
    out += header.name;
    if (header.value) out += *header.value;
  }
  ++entries_;
  bytes_ += out.size() - before;
}

OutboxWriter::Position OutboxWriter::position() const {
  return {used_, used_ == 0 ? 0 : chunks_[used_ - 1].size(), entries_, bytes_};
}

void OutboxWriter::truncate(Position position) {
  WEIR_ASSERT(position.chunks <= used_, "positions are of this outbox");
  used_ = position.chunks;
  if (used_ > 0) chunks_[used_ - 1].resize(position.last_bytes);
  entries_ = position.entries;
  bytes_ = position.bytes;
}

std::vector<std::string_view> OutboxWriter::chunks() const {
  return {chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(used_)};
}

void OutboxWriter::clear() {
  if (chunks_.size() > 16) chunks_.resize(16);  // what an unusually large commit left behind
  used_ = 0;
  entries_ = 0;
  bytes_ = 0;
}

Result<void> read_outbox(
    std::string_view chunk,
    const std::function<Result<void>(std::string_view sink, const OutboxEntry& entry)>& visit) {
  const auto corrupt = [](std::string_view what) {
    return error(Errc::corrupt, "the outbox is not readable: {}", what);
  };
  Cursor cursor(chunk);
  if (cursor.number<char>() != format_version) return corrupt("its format is not version 1");
  std::vector<std::string_view> sinks(cursor.number<std::uint16_t>());
  for (std::string_view& sink : sinks) sink = cursor.take(cursor.number<std::uint16_t>());

  std::vector<Header> headers;
  while (cursor.ok() && !cursor.done()) {
    OutboxEntry entry;
    entry.sink = cursor.number<std::uint16_t>();
    headers.resize(cursor.number<std::uint16_t>());
    entry.timestamp_ms = cursor.number<std::int64_t>();
    const auto key_size = cursor.number<std::uint32_t>();
    const auto value_size = cursor.number<std::uint32_t>();
    entry.key = cursor.maybe(key_size);
    entry.value = cursor.maybe(value_size);
    for (Header& header : headers) {
      const auto name_size = cursor.number<std::uint32_t>();
      const auto header_value_size = cursor.number<std::uint32_t>();
      header.name = cursor.take(name_size);
      header.value = cursor.maybe(header_value_size);
    }
    entry.headers = headers;
    if (!cursor.ok()) break;
    if (entry.sink >= sinks.size()) return corrupt("an entry names a sink that is not listed");
    WEIR_CHECK(visit(sinks[entry.sink], entry));
  }
  if (!cursor.ok()) return corrupt("it ends in the middle of an entry");
  return {};
}

}  // namespace weir::host
