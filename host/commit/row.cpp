#include "commit/row.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include "base/bytes.hpp"

namespace weir::host {
namespace {

// Two one-shot hashes, the first seeding the second: for short values several times faster than
// XXH3's streaming interface, and nothing has to be copied together.
std::uint32_t checksum(std::string_view key, std::uint32_t head, std::string_view payload) {
  const XXH64_hash_t seed = XXH3_64bits_withSeed(key.data(), key.size(), head);
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(payload.data(), payload.size(), seed));
}

}  // namespace

void write_row_header(char* row, std::string_view key, std::uint16_t schema,
                      std::string_view payload) {
  const std::uint32_t head = row_format | std::uint32_t{schema} << 16;
  const std::uint32_t sum = checksum(key, head, payload);
  __builtin_memcpy(row, &head, sizeof head);
  __builtin_memcpy(row + sizeof head, &sum, sizeof sum);
}

RowFault read_row(std::string_view key, std::string_view stored, Row& row) {
  if (stored.size() < row_header_bytes) return RowFault::too_short;
  const auto head = load_le<std::uint32_t>(stored.data());
  // The format first: a newer one may keep its checksum elsewhere.
  if ((head & 0xff) != row_format) return RowFault::newer_format;
  if ((head >> 8 & 0xff) != 0) return RowFault::reserved;
  row.payload = stored.substr(row_header_bytes);
  if (load_le<std::uint32_t>(stored.data() + 4) != checksum(key, head, row.payload)) {
    return RowFault::checksum;
  }
  row.schema = static_cast<std::uint16_t>(head >> 16);
  return RowFault::none;
}

std::string describe(RowFault fault, std::string_view stored) {
  switch (fault) {
    case RowFault::too_short:
      return fmt::format("is {} bytes, expected at least {}", stored.size(), row_header_bytes);
    case RowFault::newer_format:
      return fmt::format("has row format {}, expected {}: written by a newer version, or damaged",
                         static_cast<unsigned char>(stored[0]), row_format);
    case RowFault::reserved:
      return "has a reserved byte that is not 0: damaged";
    case RowFault::checksum:
      return "does not fit its checksum: damaged on disk or by another program";
    case RowFault::none:
      break;
  }
  return "is whole";
}

}  // namespace weir::host
