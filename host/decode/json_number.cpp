#include "decode/json_number.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace weir::host {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The pieces of -123.45e6.
struct Parts {
  bool negative = false;
  std::string_view whole;     ///< 123
  std::string_view fraction;  ///< 45
  std::int64_t exponent = 0;  ///< 6, kept within a range in which sums cannot overflow
};

std::size_t digits(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - at;
}

std::optional<Parts> split(std::string_view text) {
  Parts parts;
  std::size_t at = 0;
  if (at < text.size() && text[at] == '-') {
    parts.negative = true;
    ++at;
  }
  parts.whole = text.substr(at, digits(text, at));
  if (parts.whole.empty() || (parts.whole.size() > 1 && parts.whole[0] == '0')) return {};
  at += parts.whole.size();
  if (at < text.size() && text[at] == '.') {
    parts.fraction = text.substr(at + 1, digits(text, at + 1));
    if (parts.fraction.empty()) return {};
    at += 1 + parts.fraction.size();
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    const bool negative = at < text.size() && text[at] == '-';
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    const std::size_t count = digits(text, at);
    if (count == 0) return {};
    constexpr std::int64_t far = 1'000'000'000;
    for (const char c : text.substr(at, count)) {
      parts.exponent = std::min(far, 10 * parts.exponent + (c - '0'));
    }
    if (negative) parts.exponent = -parts.exponent;
    at += count;
  }
  if (at != text.size()) return {};
  return parts;
}

/// The absolute value, if it is whole and fits.
std::optional<std::uint64_t> magnitude(const Parts& parts) {
  std::string_view whole = parts.whole;
  std::string_view fraction = parts.fraction;
  while (!fraction.empty() && fraction.back() == '0') fraction.remove_suffix(1);
  const auto digit = [&](std::size_t i) {
    return i < whole.size() ? whole[i] : fraction[i - whole.size()];
  };
  const std::size_t count = whole.size() + fraction.size();
  std::size_t begin = 0;
  while (begin < count && digit(begin) == '0') ++begin;
  std::size_t end = count;
  while (end > begin && digit(end - 1) == '0') --end;
  if (begin == end) return 0;
  // Digits before the point once the exponent has moved it.
  const std::int64_t point = static_cast<std::int64_t>(whole.size()) + parts.exponent;
  if (point < static_cast<std::int64_t>(end)) return {};
  if (point - static_cast<std::int64_t>(begin) > 20) return {};
  std::uint64_t value = 0;
  for (std::size_t i = begin; static_cast<std::int64_t>(i) < point; ++i) {
    const auto next = static_cast<std::uint64_t>(i < end ? digit(i) - '0' : 0);
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, next, &value)) {
      return {};
    }
  }
  return value;
}

/// Up to 18 digits and nothing else, which is what almost every integer looks like.
std::optional<std::uint64_t> plain(std::string_view text) {
  if (text.empty() || text.size() > 18 || (text.size() > 1 && text[0] == '0')) return {};
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return {};
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

template <typename T>
std::optional<T> parse_floating(std::string_view text) {
  if (!is_json_number(text)) return {};
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem == std::errc()) return std::isfinite(value) ? std::optional(value) : std::nullopt;
  if (problem != std::errc::result_out_of_range) return {};
  // from_chars does not tell too large from too small.
  const Parts parts = *split(text);
  const std::size_t whole = std::min(parts.whole.find_first_not_of('0'), parts.whole.size());
  const std::size_t fraction = parts.fraction.find_first_not_of('0');
  const std::int64_t leading =
      whole < parts.whole.size()
          ? static_cast<std::int64_t>(parts.whole.size() - whole)
          : -static_cast<std::int64_t>(std::min(fraction, parts.fraction.size()));
  if (leading + parts.exponent > 0) return {};
  return parts.negative ? -T{0} : T{0};
}

}  // namespace

bool is_json_number(std::string_view text) { return split(text).has_value(); }

std::optional<std::int64_t> parse_int64(std::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  auto value = plain(text.substr(negative ? 1 : 0));
  if (!value) {
    const auto parts = split(text);
    if (!parts || !(value = magnitude(*parts))) return {};
  }
  constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (*value > max + (negative ? 1 : 0)) return {};
  return static_cast<std::int64_t>(negative ? 0 - *value : *value);
}

std::optional<std::uint64_t> parse_uint64(std::string_view text) {
  auto value = plain(text);
  if (value) return value;
  const auto parts = split(text);
  if (!parts || !(value = magnitude(*parts)) || (parts->negative && *value != 0)) return {};
  return value;
}

std::optional<double> parse_double(std::string_view text) { return parse_floating<double>(text); }
std::optional<float> parse_float(std::string_view text) { return parse_floating<float>(text); }

}  // namespace weir::host
