#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::host {

/// The frame around every value that a task's environment holds (host/docs/record-format.md).
///
///   row      = format:u8 reserved:u8 schema:u16 checksum:u32 payload
///   checksum = the low 32 bits of XXH3 over key, the four bytes before it, and payload
///
/// Eight bytes, so that a payload is aligned like the row.
inline constexpr std::size_t row_header_bytes = 8;
inline constexpr std::uint8_t row_format = 1;

struct Row {
  std::uint16_t schema = 0;  ///< States: a key of "schemas"; every other row: 0
  std::string_view payload;
};

enum class RowFault { none, too_short, newer_format, reserved, checksum };

/// Fills in the header of a row: `row` points to row_header_bytes, `payload` usually behind them.
void write_row_header(char* row, std::string_view key, std::uint16_t schema,
                      std::string_view payload);

/// Checks `stored` and looks into it; `row` is meaningful only with RowFault::none.
RowFault read_row(std::string_view key, std::string_view stored, Row& row);

/// What is wrong, as the end of a sentence that names the row.
std::string describe(RowFault fault, std::string_view stored);

}  // namespace weir::host
