#include "resolve/key_order.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace weir::host {

namespace {

struct Entry {
  std::uint64_t prefix;  ///< eight bytes behind the common start, as a number that orders like them
  std::uint32_t index;
};

std::size_t common_start(std::span<const std::string_view> keys) {
  const std::string_view first = keys.front();
  std::size_t common = first.size();
  for (const std::string_view key : keys) {
    common = std::min(common, key.size());
    if (std::memcmp(key.data(), first.data(), common) == 0) continue;
    common = static_cast<std::size_t>(
        std::mismatch(key.begin(), key.begin() + static_cast<std::ptrdiff_t>(common), first.begin())
            .first -
        key.begin());
  }
  return common;
}

/// Missing bytes count as 0: a tie with keys that have real ones, which is settled later.
std::uint64_t prefix_of(std::string_view rest) {
  std::uint64_t bytes = 0;
  if (!rest.empty()) {
    std::memcpy(&bytes, rest.data(), std::min(rest.size(), sizeof bytes));
  }
  return __builtin_bswap64(bytes);
}

/// Byte by byte from the last; bytes that are the same in all keys (a length, leading zeros) cost
/// nothing.
void sort_by_prefix(std::vector<Entry>& entries) {
  std::array<std::array<std::uint32_t, 256>, 8> counts{};
  for (const Entry& entry : entries) {
    for (std::size_t byte = 0; byte < 8; ++byte) ++counts[byte][entry.prefix >> 8 * byte & 0xff];
  }
  std::vector<Entry> sorted(entries.size());
  for (std::size_t byte = 0; byte < 8; ++byte) {
    std::array<std::uint32_t, 256>& places = counts[byte];
    if (places[entries.front().prefix >> 8 * byte & 0xff] == entries.size()) continue;
    std::uint32_t place = 0;
    for (std::uint32_t& count : places) place += std::exchange(count, place);
    for (const Entry& entry : entries) sorted[places[entry.prefix >> 8 * byte & 0xff]++] = entry;
    std::swap(entries, sorted);
  }
}

}  // namespace

std::vector<std::uint32_t> order_by_key(std::span<const std::string_view> keys) {
  std::vector<std::uint32_t> order(keys.size());
  if (keys.empty()) return order;
  const std::size_t common = common_start(keys);
  std::vector<Entry> entries(keys.size());
  for (std::uint32_t i = 0; i < keys.size(); ++i) {
    entries[i] = {prefix_of(keys[i].substr(common)), i};
  }
  sort_by_prefix(entries);
  for (std::size_t first = 0; first < entries.size();) {
    std::size_t last = first + 1;
    while (last < entries.size() && entries[last].prefix == entries[first].prefix) ++last;
    if (last - first > 1) {
      std::sort(entries.begin() + static_cast<std::ptrdiff_t>(first),
                entries.begin() + static_cast<std::ptrdiff_t>(last),
                [&](const Entry& a, const Entry& b) { return keys[a.index] < keys[b.index]; });
    }
    first = last;
  }
  std::transform(entries.begin(), entries.end(), order.begin(),
                 [](const Entry& entry) { return entry.index; });
  return order;
}

}  // namespace weir::host
