#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace weir::host {

/// Bump memory with stable addresses that is given back all at once.
///
/// std::pmr::monotonic_buffer_resource returns its chunks to the heap on release(); this one keeps
/// them, so that a batch costs no allocation once the first ones have been seen.
class Arena {
 public:
  explicit Arena(std::size_t chunk_bytes = std::size_t{64} << 10) : chunk_bytes_(chunk_bytes) {}

  /// `size` bytes, aligned to 8, valid until reset(). Never null, also for size 0.
  char* allocate(std::size_t size) {
    const std::size_t rounded = size == 0 ? 8 : (size + 7) & ~std::size_t{7};
    if (rounded > limit_ - used_) grow(rounded);
    char* out = chunks_[current_].memory.get() + used_;
    used_ += rounded;
    bytes_ += rounded;
    return out;
  }

  std::string_view copy(std::string_view bytes) {
    char* out = allocate(bytes.size());
    if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
    return {out, bytes.size()};
  }

  /// Everything handed out dies. Keeps ordinary chunks, frees oversized ones.
  void reset();

  /// Bytes handed out since the last reset().
  std::size_t bytes() const { return bytes_; }

  /// Memory it has, handed out or not.
  std::size_t held_bytes() const;

 private:
  struct Chunk {
    std::unique_ptr<char[]> memory;
    std::size_t size;
  };
  void grow(std::size_t size);

  std::size_t chunk_bytes_;
  std::vector<Chunk> chunks_;
  std::size_t current_ = 0;
  std::size_t used_ = 0;
  std::size_t limit_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace weir::host
