#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::host {

/// Bytes are std::string_view (looked at) and std::string (owned) everywhere in the host.
/// Where absent and empty differ (keys, values), it is MaybeBytes.
using MaybeBytes = std::optional<std::string_view>;

/// `bytes` as a person can read them: printable ASCII as it is, the rest as \xNN, cut with "...".
std::string printable(std::string_view bytes, std::size_t size_max = 64);

std::string to_hex(std::string_view bytes);

/// Little-endian numbers in byte strings; the caller has checked the size.
template <typename T>
T load_le(const char* at) {
  T value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}
template <typename T>
void append_le(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "stored formats are little-endian");

}  // namespace weir::host
