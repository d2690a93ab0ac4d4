#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::host {

/// Numbers as RFC 8259 writes them; `text` is the whole number, nothing around it. Absent: it is
/// not one, or not in the range of the type.

/// Also 1.0 and 1e2, exactly: no rounding through a double.
std::optional<std::int64_t> parse_int64(std::string_view text);
std::optional<std::uint64_t> parse_uint64(std::string_view text);

/// Correctly rounded; too large is absent, too small is zero.
std::optional<double> parse_double(std::string_view text);
std::optional<float> parse_float(std::string_view text);

bool is_json_number(std::string_view text);

}  // namespace weir::host
