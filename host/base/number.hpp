#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace weir::host {

/// `text` as a whole, in decimal. Absent: it is something else, or does not fit.
template <std::integral T>
std::optional<T> to_number(std::string_view text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace weir::host
