#include "base/arena.hpp"

#include <algorithm>
#include <utility>

namespace weir::host {

void Arena::grow(std::size_t size) {
  const std::size_t next = chunks_.empty() ? 0 : current_ + 1;
  if (next >= chunks_.size() || chunks_[next].size < size) {
    // An oversized chunk goes in front of the ordinary ones that wait: skipping them would make the
    // arena grow by a chunk for each oversized request, for ever.
    const std::size_t chunk_size = std::max(size, chunk_bytes_);
    chunks_.push_back({std::make_unique_for_overwrite<char[]>(chunk_size), chunk_size});
    std::swap(chunks_[next], chunks_.back());
  }
  current_ = next;
  used_ = 0;
  limit_ = chunks_[current_].size;
}

std::size_t Arena::held_bytes() const {
  std::size_t bytes = 0;
  for (const Chunk& chunk : chunks_) bytes += chunk.size;
  return bytes;
}

void Arena::reset() {
  std::erase_if(chunks_, [&](const Chunk& chunk) { return chunk.size > chunk_bytes_; });
  current_ = 0;
  used_ = 0;
  limit_ = chunks_.empty() ? 0 : chunks_[0].size;
  bytes_ = 0;
}

}  // namespace weir::host
