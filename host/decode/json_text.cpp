#include "decode/json_text.hpp"

#include <array>
#include <chrono>

namespace weir::host {
namespace {

/// Reads fixed forms from the front of a text; every method says whether it was there.
struct Scanner {
  std::string_view rest;

  bool character(char wanted) {
    if (rest.empty() || rest[0] != wanted) return false;
    rest.remove_prefix(1);
    return true;
  }
  bool number(std::size_t digit_count, unsigned max, unsigned& out) {
    if (rest.size() < digit_count) return false;
    out = 0;
    for (const char c : rest.substr(0, digit_count)) {
      if (c < '0' || c > '9') return false;
      out = out * 10 + static_cast<unsigned>(c - '0');
    }
    rest.remove_prefix(digit_count);
    return out <= max;
  }
  /// .5 is 500,000,000; absent is 0.
  bool fraction(std::int32_t& nanos) {
    nanos = 0;
    if (!character('.')) return true;
    std::int32_t scale = 100'000'000;
    std::size_t count = 0;
    for (; count < rest.size() && rest[count] >= '0' && rest[count] <= '9'; ++count) {
      if (count == 9) return false;
      nanos += (rest[count] - '0') * scale;
      scale /= 10;
    }
    rest.remove_prefix(count);
    return count > 0;
  }
};

constexpr std::int64_t timestamp_seconds_min = -62'135'596'800;
constexpr std::int64_t timestamp_seconds_max = 253'402'300'799;
constexpr std::int64_t duration_seconds_max = 315'576'000'000;

constexpr std::uint8_t not_base64 = 0xff;

constexpr std::array<std::uint8_t, 256> make_base64_table() {
  std::array<std::uint8_t, 256> table{};
  table.fill(not_base64);
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < letters.size(); ++i) {
    table[static_cast<unsigned char>(letters[i])] = static_cast<std::uint8_t>(i);
  }
  table['-'] = 62;
  table['_'] = 63;
  return table;
}
constexpr std::array<std::uint8_t, 256> base64_table = make_base64_table();

}  // namespace

std::optional<SecondsAndNanos> parse_json_timestamp(std::string_view text) {
  Scanner scan{text};
  unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  SecondsAndNanos out;
  const bool read = scan.number(4, 9999, year) && scan.character('-') &&
                    scan.number(2, 12, month) && scan.character('-') && scan.number(2, 31, day) &&
                    scan.character('T') && scan.number(2, 23, hour) && scan.character(':') &&
                    scan.number(2, 59, minute) && scan.character(':') &&
                    scan.number(2, 59, second) && scan.fraction(out.nanos);
  if (!read || year == 0) return {};
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok()) return {};
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  out.seconds = days * 86'400 + hour * 3'600 + minute * 60 + second;

  if (!scan.character('Z')) {
    const bool east = scan.character('+');
    unsigned offset_hour = 0, offset_minute = 0;
    if ((!east && !scan.character('-')) || !scan.number(2, 23, offset_hour) ||
        !scan.character(':') || !scan.number(2, 59, offset_minute)) {
      return {};
    }
    const std::int64_t offset = offset_hour * 3'600 + offset_minute * 60;
    out.seconds += east ? -offset : offset;
  }
  if (!scan.rest.empty()) return {};
  if (out.seconds < timestamp_seconds_min || out.seconds > timestamp_seconds_max) return {};
  return out;
}

std::optional<SecondsAndNanos> parse_json_duration(std::string_view text) {
  Scanner scan{text};
  const bool negative = scan.character('-');
  SecondsAndNanos out;
  std::size_t count = 0;
  for (; count < scan.rest.size() && scan.rest[count] >= '0' && scan.rest[count] <= '9'; ++count) {
    out.seconds = out.seconds * 10 + (scan.rest[count] - '0');
    if (out.seconds > duration_seconds_max) return {};
  }
  scan.rest.remove_prefix(count);
  if (count == 0 || !scan.fraction(out.nanos) || !scan.character('s') || !scan.rest.empty()) {
    return {};
  }
  if (negative) out = {-out.seconds, -out.nanos};
  return out;
}

std::optional<std::size_t> decode_base64(std::string_view text, char* out) {
  if (text.size() % 4 == 0) {
    if (text.ends_with("==")) {
      text.remove_suffix(2);
    } else if (text.ends_with('=')) {
      text.remove_suffix(1);
    }
  }
  if (text.size() % 4 == 1) return {};
  char* const begin = out;
  std::uint32_t bits = 0;
  unsigned bit_count = 0;
  bool plus_slash = false;
  bool minus_underscore = false;
  for (const char c : text) {
    const std::uint8_t six = base64_table[static_cast<unsigned char>(c)];
    if (six == not_base64) return {};
    if (six >= 62) {
      (c == '+' || c == '/' ? plus_slash : minus_underscore) = true;
    }
    bits = bits << 6 | six;
    bit_count += 6;
    if (bit_count >= 8) {
      bit_count -= 8;
      *out++ = static_cast<char>(bits >> bit_count);
    }
  }
  if (plus_slash && minus_underscore) return {};
  if ((bits & ((1u << bit_count) - 1)) != 0) return {};  // bits that belong to no byte
  return static_cast<std::size_t>(out - begin);
}

}  // namespace weir::host
