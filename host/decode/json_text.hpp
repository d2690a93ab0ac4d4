#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::host {

/// What proto3 JSON writes as text in quotes; `text` is what stands between them.

struct SecondsAndNanos {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
};

/// RFC 3339 such as 1972-01-01T10:00:20.021Z or with an offset; years 1 to 9999, at most 9 digits
/// of fraction, T and Z in upper case, no leap seconds.
std::optional<SecondsAndNanos> parse_json_timestamp(std::string_view text);

/// Seconds such as -1.5s, at most 9 digits of fraction, at most 315,576,000,000 s either way.
std::optional<SecondsAndNanos> parse_json_duration(std::string_view text);

/// Either alphabet (not both at once), with or without padding. Writes at most
/// base64_bytes_max(text) bytes; returns how many.
std::optional<std::size_t> decode_base64(std::string_view text, char* out);
constexpr std::size_t base64_bytes_max(std::string_view text) { return text.size() / 4 * 3 + 3; }

}  // namespace weir::host
