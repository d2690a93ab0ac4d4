#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::host {

/// Texts with units, as the app's YAML and the command line take them. Errors are Errc::invalid,
/// quote the text and say how to write it.

/// The value of `infinity`.
inline constexpr std::int64_t duration_infinity = -1;

/// The longest finite duration: far beyond any stream, and safe to add to any time in milliseconds.
inline constexpr std::int64_t duration_ms_max = std::int64_t{36500} * 24 * 60 * 60 * 1000;

/// Milliseconds of 250ms, 5s, 2m, 1h, 7d, 1h30m, 0; duration_infinity for `infinity`. Units go from
/// large to small, each at most once.
Result<std::int64_t> parse_duration(std::string_view text);

/// The shortest text that parse_duration() turns back into `ms`.
std::string format_duration(std::int64_t ms);

/// Bytes of 512, 64KiB, 16MiB, 1GiB, 1TiB (1024) and 64kB, 1MB, 1GB, 1TB (1000).
Result<std::uint64_t> parse_size(std::string_view text);

/// The shortest exact text that parse_size() turns back into `bytes`.
std::string format_size(std::uint64_t bytes);

struct Time {
  std::int64_t seconds = 0;  ///< since 1970-01-01 UTC
  std::int32_t nanos = 0;    ///< 0..999,999,999, also before 1970
};

/// RFC 3339 with a zone: 2026-01-31T00:00:00Z, 2026-01-31T01:00:00.25+01:00; years 1 to 9999.
Result<Time> parse_time(std::string_view text);

/// The same in milliseconds, rounded down.
Result<std::int64_t> parse_time_ms(std::string_view text);

/// 2026-01-31T00:00:00Z, with milliseconds when there are any; the bare number for a time outside
/// the years 1 to 9999.
std::string format_time_ms(std::int64_t ms);

/// [a-z][a-z0-9_-]*, at most 63 characters.
Result<void> check_name(std::string_view text);

/// Kafka's rule: 1 to 249 of [a-zA-Z0-9._-], not "." or "..".
Result<void> check_topic(std::string_view text);

/// HOST:PORT: a name or an IPv4 address, or an IPv6 address in brackets; the port is from 1 to
/// 65535.
Result<void> check_broker(std::string_view text);

/// Whether `bytes` are well-formed UTF-8; if not, `bad` is the index of the first wrong byte.
bool is_utf8(std::string_view bytes, std::size_t* bad = nullptr);

}  // namespace weir::host
