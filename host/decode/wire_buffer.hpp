#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace weir::host {

/// Protobuf wire bytes being written. Keeps its memory from one message to the next.
class WireBuffer {
 public:
  void clear() { size_ = 0; }
  std::size_t size() const { return size_; }
  std::string_view view() const { return {data_.get(), size_}; }

  /// Forgets what was written after `size`.
  void truncate(std::size_t size) { size_ = size; }

  /// Gives memory back that only an unusually large message needed.
  void trim(std::size_t bytes_kept);

  void tag(std::uint64_t image, std::size_t tag_size) {
    reserve(8);
    std::memcpy(data_.get() + size_, &image, 8);
    size_ += tag_size;
  }
  void varint(std::uint64_t value) {
    reserve(10);
    char* at = data_.get() + size_;
    while (value >= 0x80) {
      *at++ = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    *at++ = static_cast<char>(value);
    size_ = static_cast<std::size_t>(at - data_.get());
  }
  template <typename T>
  void fixed(T value) {
    reserve(sizeof value);
    std::memcpy(data_.get() + size_, &value, sizeof value);
    size_ += sizeof value;
  }
  void length_and_bytes(std::string_view bytes) {
    varint(bytes.size());
    reserve(bytes.size());
    if (!bytes.empty()) std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  /// Room for `bytes` more at the returned place; advance() says how many were used.
  char* room(std::size_t bytes) {
    reserve(bytes);
    return data_.get() + size_;
  }
  void advance(std::size_t bytes) { size_ += bytes; }

  /// Starts something that its length precedes; the result goes to close(). One byte is set aside
  /// for the length, and close() moves the content when that is not enough.
  std::size_t open() {
    reserve(1);
    return ++size_;
  }
  void close(std::size_t start) {
    const std::size_t length = size_ - start;
    if (length < 0x80) {
      data_[start - 1] = static_cast<char>(length);
    } else {
      close_long(start, length);
    }
  }

 private:
  void reserve(std::size_t bytes) {
    if (capacity_ - size_ < bytes) grow(bytes);
  }
  void grow(std::size_t bytes);
  void close_long(std::size_t start, std::size_t length);

  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace weir::host
