#include "log/partitioner.hpp"

#include <boost/crc.hpp>

#include "base/assert.hpp"
#include "base/bytes.hpp"

namespace weir::host {
namespace {

/// org.apache.kafka.common.utils.Utils.murmur2, with Java's sign bit kept out of it.
std::uint32_t murmur2(std::string_view key) {
  constexpr std::uint32_t m = 0x5bd1e995;
  constexpr std::uint32_t seed = 0x9747b28c;
  std::uint32_t hash = seed ^ static_cast<std::uint32_t>(key.size());
  std::size_t at = 0;
  for (; at + 4 <= key.size(); at += 4) {
    std::uint32_t word = load_le<std::uint32_t>(key.data() + at) * m;
    word ^= word >> 24;
    hash = (hash * m) ^ (word * m);
  }
  const auto byte = [&](std::size_t index) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(key[at + index]));
  };
  switch (key.size() - at) {
    case 3:
      hash ^= byte(2) << 16;
      [[fallthrough]];
    case 2:
      hash ^= byte(1) << 8;
      [[fallthrough]];
    case 1:
      hash = (hash ^ byte(0)) * m;
      break;
    default:
      break;
  }
  hash = (hash ^ (hash >> 13)) * m;
  return hash ^ (hash >> 15);
}

std::uint32_t crc32(std::string_view key) {
  boost::crc_32_type crc;
  crc.process_bytes(key.data(), key.size());
  return crc.checksum();
}

}  // namespace

std::int32_t partition_of(Partitioner partitioner, std::string_view key,
                          std::int32_t partition_count) {
  WEIR_ASSERT(partition_count > 0, "a topic has at least one partition");
  const auto count = static_cast<std::uint32_t>(partition_count);
  const std::uint32_t hash =
      partitioner == Partitioner::murmur2 ? murmur2(key) & 0x7fffffff : crc32(key);
  return static_cast<std::int32_t>(hash % count);
}

}  // namespace weir::host
