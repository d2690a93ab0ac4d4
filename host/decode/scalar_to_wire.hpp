#pragma once

#include <string_view>

#include "decode/message_plan.hpp"
#include "decode/wire_buffer.hpp"

namespace weir::host {

/// Scalars as proto3 JSON writes them. Each writes the value without its tag and returns true, or
/// writes nothing that counts and returns false: then `text` is not such a value.

/// "true" or "false".
bool write_boolean(std::string_view text, WireBuffer& out);

/// A number of the field's kind; of an enum, its number.
bool write_number(FieldKind kind, std::string_view text, WireBuffer& out);

/// What a number may look like in quotes: also NaN and the infinities.
bool write_quoted_number(FieldKind kind, std::string_view text, WireBuffer& out);

/// The key of a map. Integers in one form only, so that equal keys are equal texts.
bool write_map_key(FieldKind kind, std::string_view key, WireBuffer& out);

/// Bytes in base64, with their length.
bool write_base64(std::string_view text, WireBuffer& out);

}  // namespace weir::host
