#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace weir::host {

/// A copy of a record with readable zeros after it: simdjson reads beyond the end of its input.
/// Keeps its memory from one record to the next.
class PaddedInput {
 public:
  explicit PaddedInput(std::size_t padding) : padding_(padding) {}

  /// `before` and `after` are put around the record; both may be empty.
  void load(std::string_view before, std::string_view record, std::string_view after) {
    size_ = before.size() + record.size() + after.size();
    if (capacity_ < size_ + padding_) {
      capacity_ = std::max({std::size_t{1024}, 2 * capacity_, size_ + padding_});
      data_ = std::make_unique<char[]>(capacity_);
    }
    char* at = data_.get();
    for (const std::string_view piece : {before, record, after}) {
      if (!piece.empty()) std::memcpy(at, piece.data(), piece.size());
      at += piece.size();
    }
    std::memset(at, 0, padding_);
  }

  const char* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  std::size_t padded_size() const { return size_ + padding_; }

  void release() {
    data_.reset();
    size_ = 0;
    capacity_ = 0;
  }

 private:
  std::size_t padding_;
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace weir::host
