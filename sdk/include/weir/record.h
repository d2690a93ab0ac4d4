#pragma once

#include <weir/abi.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

namespace weir {

/// A point in time, in milliseconds since 1970-01-01 UTC.
using Time = std::chrono::sys_time<std::chrono::milliseconds>;

namespace detail {
inline std::string_view view(weir_bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data), bytes.size};
}
inline weir_bytes bytes_of(std::string_view text) {
  // Present bytes are never NULL across the border, even when there are none.
  static constexpr char empty = 0;
  const char* data = text.data() != nullptr ? text.data() : &empty;
  return {reinterpret_cast<const std::uint8_t*>(data), text.size()};
}
}  // namespace detail

/// One header of a record. A header may have a null value, which is not the empty one.
struct Header {
  std::string_view name;
  std::string_view value;  ///< data() is nullptr for a null value
  bool has_value() const { return value.data() != nullptr; }
};

/// The headers of a record in their order; names may repeat.
class Headers {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = Header;
    using pointer = void;
    using reference = Header;

    Iterator() = default;
    explicit Iterator(const weir_header* at) : at_(at) {}
    Header operator*() const { return {detail::view(at_->name), detail::view(at_->value)}; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++at_;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const weir_header* at_ = nullptr;
  };

  explicit Headers(const weir_record& record) : record_(&record) {}
  Iterator begin() const { return Iterator(record_->headers); }
  Iterator end() const { return Iterator(record_->headers + record_->header_count); }
  std::size_t size() const { return record_->header_count; }
  bool empty() const { return size() == 0; }
  Header operator[](std::size_t index) const { return *Iterator(record_->headers + index); }

 private:
  const weir_record* record_;
};

/// One record as the log holds it: a view, cheap to copy. It and everything it returns is valid in
/// the function that got it, and no longer.
class Record {
 public:
  /// `raw` outlives the Record.
  explicit Record(const weir_record& raw) : raw_(&raw) {}

  /// The record's key; a missing key and an empty one differ.
  bool has_key() const { return raw_->key.data != nullptr; }
  std::string_view key() const { return detail::view(raw_->key); }

  /// The record's bytes. For a resolver that takes a message: the decoded message as Protobuf wire
  /// bytes. Without a value (a null value, often a deletion) data() is nullptr.
  bool has_value() const { return raw_->value.data != nullptr; }
  std::string_view value() const { return detail::view(raw_->value); }

  Headers headers() const { return Headers(*raw_); }

  /// The value of the last header of this name. Nothing: there is none, or its value is null.
  std::optional<std::string_view> header(std::string_view name) const {
    for (std::size_t i = raw_->header_count; i-- > 0;) {
      const weir_header& header = raw_->headers[i];
      if (detail::view(header.name) != name) continue;
      if (header.value.data == nullptr) return std::nullopt;
      return detail::view(header.value);
    }
    return std::nullopt;
  }

  std::string_view topic() const { return detail::view(raw_->topic); }
  std::int32_t partition() const { return raw_->partition; }
  std::int64_t offset() const { return raw_->offset; }

  /// The timestamp that the record carries in the log.
  Time timestamp() const { return Time(std::chrono::milliseconds(raw_->timestamp_ms)); }

 private:
  const weir_record* raw_;
};

}  // namespace weir
