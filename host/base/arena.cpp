#include "base/arena.hpp"

#include <algorithm>

namespace weir::host {

void Arena::grow(std::size_t size) {
  std::size_t next = chunks_.empty() ? 0 : current_ + 1;
  while (next < chunks_.size() && chunks_[next].size < size) ++next;
  if (next >= chunks_.size()) {
    const std::size_t chunk_size = std::max(size, chunk_bytes_);
    chunks_.push_back({std::make_unique_for_overwrite<char[]>(chunk_size), chunk_size});
    next = chunks_.size() - 1;
  }
  current_ = next;
  used_ = 0;
  limit_ = chunks_[current_].size;
}

void Arena::reset() {
  std::erase_if(chunks_, [&](const Chunk& chunk) { return chunk.size > chunk_bytes_; });
  current_ = 0;
  used_ = 0;
  limit_ = chunks_.empty() ? 0 : chunks_[0].size;
  bytes_ = 0;
}

}  // namespace weir::host
