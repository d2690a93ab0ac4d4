#include "decode/wire_buffer.hpp"

#include <algorithm>

namespace weir::host {

void WireBuffer::trim(std::size_t bytes_kept) {
  if (capacity_ <= bytes_kept) return;
  data_.reset();
  size_ = 0;
  capacity_ = 0;
}

void WireBuffer::grow(std::size_t bytes) {
  const std::size_t capacity = std::max({std::size_t{1024}, 2 * capacity_, size_ + bytes});
  std::unique_ptr<char[]> data(new char[capacity]);
  if (size_ != 0) std::memcpy(data.get(), data_.get(), size_);
  data_ = std::move(data);
  capacity_ = capacity;
}

void WireBuffer::close_long(std::size_t start, std::size_t length) {
  std::size_t prefix = 1;
  for (std::size_t rest = length; rest >= 0x80; rest >>= 7) ++prefix;
  reserve(prefix - 1);
  std::memmove(data_.get() + start + prefix - 1, data_.get() + start, length);
  size_ = start - 1;
  varint(length);
  size_ += length;
}

}  // namespace weir::host
