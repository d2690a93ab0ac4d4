#include "decode/scalar_to_wire.hpp"

#include <limits>

#include "decode/json_number.hpp"
#include "decode/json_text.hpp"

namespace weir::host {
namespace {

constexpr std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}

template <typename T>
bool write_floating(const std::optional<T>& parsed, WireBuffer& out) {
  if (parsed) out.fixed(*parsed);
  return parsed.has_value();
}

bool write_unsigned(FieldKind kind, std::string_view text, WireBuffer& out) {
  const auto parsed = parse_uint64(text);
  if (!parsed) return false;
  if (kind == FieldKind::fixed64) {
    out.fixed(*parsed);
    return true;
  }
  const bool fits_32 = *parsed <= std::numeric_limits<std::uint32_t>::max();
  if (kind != FieldKind::uint64 && !fits_32) return false;
  if (kind == FieldKind::fixed32) {
    out.fixed(static_cast<std::uint32_t>(*parsed));
  } else {
    out.varint(*parsed);
  }
  return true;
}

bool write_signed(FieldKind kind, std::string_view text, WireBuffer& out) {
  const auto parsed = parse_int64(text);
  if (!parsed) return false;
  const std::int64_t value = *parsed;
  switch (kind) {
    case FieldKind::int64:
      out.varint(static_cast<std::uint64_t>(value));
      return true;
    case FieldKind::sint64:
      out.varint(zigzag(value));
      return true;
    case FieldKind::sfixed64:
      out.fixed(value);
      return true;
    default:
      break;
  }
  if (value != static_cast<std::int32_t>(value)) return false;
  if (kind == FieldKind::sint32) {
    out.varint(zigzag(value));
  } else if (kind == FieldKind::sfixed32) {
    out.fixed(static_cast<std::int32_t>(value));
  } else {
    out.varint(static_cast<std::uint64_t>(value));
  }
  return true;
}

}  // namespace

bool write_boolean(std::string_view text, WireBuffer& out) {
  if (text != "true" && text != "false") return false;
  out.varint(text == "true" ? 1 : 0);
  return true;
}

bool write_number(FieldKind kind, std::string_view text, WireBuffer& out) {
  switch (kind) {
    case FieldKind::int32:
    case FieldKind::int64:
    case FieldKind::sint32:
    case FieldKind::sint64:
    case FieldKind::sfixed32:
    case FieldKind::sfixed64:
    case FieldKind::enumeration:
    case FieldKind::null_value:
      return write_signed(kind, text, out);
    case FieldKind::uint32:
    case FieldKind::uint64:
    case FieldKind::fixed32:
    case FieldKind::fixed64:
      return write_unsigned(kind, text, out);
    case FieldKind::single_float:
      return write_floating(parse_float(text), out);
    case FieldKind::double_float:
      return write_floating(parse_double(text), out);
    default:
      return false;
  }
}

bool write_quoted_number(FieldKind kind, std::string_view text, WireBuffer& out) {
  const bool floating = kind == FieldKind::single_float || kind == FieldKind::double_float;
  if (!floating || (text != "NaN" && text != "Infinity" && text != "-Infinity")) {
    return write_number(kind, text, out);
  }
  double value = std::numeric_limits<double>::quiet_NaN();
  if (text != "NaN") value = std::numeric_limits<double>::infinity();
  if (text[0] == '-') value = -value;
  if (kind == FieldKind::double_float) {
    out.fixed(value);
  } else {
    out.fixed(static_cast<float>(value));
  }
  return true;
}

bool write_map_key(FieldKind kind, std::string_view key, WireBuffer& out) {
  if (kind == FieldKind::string) {
    out.length_and_bytes(key);
    return true;
  }
  if (kind == FieldKind::boolean) return write_boolean(key, out);
  if (key == "-0" || key.find_first_of(".eE") != key.npos) return false;
  return write_number(kind, key, out);
}

bool write_base64(std::string_view text, WireBuffer& out) {
  const std::size_t content = out.open();
  const auto size = decode_base64(text, out.room(base64_bytes_max(text)));
  if (!size) return false;
  out.advance(*size);
  out.close(content);
  return true;
}

}  // namespace weir::host
