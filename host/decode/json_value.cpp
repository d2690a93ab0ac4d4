#include "decode/json_walk.hpp"

#include <cstring>

#include <google/protobuf/descriptor.h>

#include "base/limits.hpp"
#include "decode/json_number.hpp"
#include "decode/scalar_to_wire.hpp"
#include "decode/wire_check.hpp"

namespace weir::host {

namespace ondemand = simdjson::ondemand;

namespace {

bool has_backslash(std::string_view text) {
  return !text.empty() && std::memchr(text.data(), '\\', text.size()) != nullptr;
}

std::string_view words_for(simdjson::error_code code) {
  switch (code) {
    case simdjson::EMPTY:
      return "it is empty";
    case simdjson::UTF8_ERROR:
      return "it is not valid UTF-8";
    case simdjson::UNCLOSED_STRING:
      return "a string is not closed";
    case simdjson::UNESCAPED_CHARS:
      return "a control character in a string is not escaped";
    case simdjson::STRING_ERROR:
      return "a string has a wrong escape sequence";
    default:
      return "a comma, colon or bracket is missing or misplaced";
  }
}

}  // namespace

bool has_surrogate(std::string_view unescaped) {
  for (std::size_t at = unescaped.find('\xed'); at != unescaped.npos;
       at = unescaped.find('\xed', at + 1)) {
    if (at + 1 < unescaped.size() && static_cast<unsigned char>(unescaped[at + 1]) >= 0xa0)
      return true;
  }
  return false;
}

/// One value without its tag: with its length where it has one.
bool JsonWalk::one(const FieldPlan& plan, Value& value, std::string_view token) {
  if (!is_message(plan.kind)) return scalar(plan, value, token);
  if (plan.kind == FieldKind::group) {
    if (++wire_depth_ > wire_depth_max) return fail_depth();
    if (!body(plan, value, token)) return false;
    --wire_depth_;
    out_.varint(plan.number << 3 | 4);
    return true;
  }
  std::size_t content = 0;
  if (!open(content) || !body(plan, value, token)) return false;
  close(content);
  return true;
}

/// The content of a message, whatever its JSON form.
bool JsonWalk::body(const FieldPlan& plan, Value& value, std::string_view token) {
  switch (plan.kind) {
    case FieldKind::timestamp:
    case FieldKind::duration:
      return time(plan, value, token);
    case FieldKind::wrapper:
      return tagged(plan.message->fields.front(), value, token);
    case FieldKind::structure:
      return structure(value, token);
    case FieldKind::any_value:
      return any_value(value, token);
    case FieldKind::list_value:
      return list_value(value, token);
    case FieldKind::any:
      return any(value, token);
    case FieldKind::field_mask:
      return field_mask(plan, value, token);
    default:
      break;
  }
  if (!begins_with(token, '{')) return fail_expected(expected_value(plan), token);
  ondemand::object object;
  if (!open_object(value, token, "", object) || !fields(*plan.message, object, Holder::message)) {
    return false;
  }
  --json_depth_;
  return true;
}

bool JsonWalk::scalar(const FieldPlan& plan, Value& value, std::string_view token) {
  if (begins_with(token, '"')) {
    std::string_view text;
    return unquote(value, token, text) && from_text(plan, text, token);
  }
  bool taken = false;
  if (plan.kind == FieldKind::boolean) {
    taken = write_boolean(token, out_);
  } else if (plan.kind == FieldKind::null_value && token == "null") {
    taken = write_number(plan.kind, "0", out_);
  } else if (plan.closed_enum) {
    return enum_number(plan, token);
  } else {
    taken = write_number(plan.kind, token, out_);
  }
  return taken ? true : fail_expected(expected_value(plan), token);
}

bool JsonWalk::from_text(const FieldPlan& plan, std::string_view text, std::string_view token) {
  switch (plan.kind) {
    case FieldKind::string:
      out_.length_and_bytes(text);
      return true;
    case FieldKind::enumeration:
    case FieldKind::null_value:
      return enum_name(plan, text, token);
    case FieldKind::bytes:
      if (write_base64(text, out_)) return true;
      break;
    default:
      if (write_quoted_number(plan.kind, text, out_)) return true;
      break;
  }
  return fail_expected(expected_value(plan), token);
}

/// Of a proto2 enum. A parser would set an unknown number aside as if the field were not there.
bool JsonWalk::enum_number(const FieldPlan& plan, std::string_view token) {
  const auto number = parse_int64(token);
  if (number && plan.enumeration->has(*number)) return write_number(plan.kind, token, out_);
  const bool is_int32 = number && *number == static_cast<std::int32_t>(*number);
  dropped_ = is_int32 && options_.ignore_unknown_fields;
  return dropped_ ? true : fail_expected(expected_value(plan), token);
}

bool JsonWalk::enum_name(const FieldPlan& plan, std::string_view name, std::string_view token) {
  const auto at = plan.enumeration->numbers.find(name);
  if (at != plan.enumeration->numbers.end()) {
    out_.varint(static_cast<std::uint64_t>(std::int64_t{at->second}));
    return true;
  }
  const bool plain = name.find_first_of(".eE") == name.npos;  // a name may look like 1e2
  const auto number = plain ? parse_int64(name) : std::nullopt;
  if (number && plan.enumeration->has(*number)) return write_number(plan.kind, name, out_);
  dropped_ = options_.ignore_unknown_fields;
  if (dropped_) return true;
  return fail(fmt::format("expected {}, found {}{}", expected_value(plan), found_value(token),
                          did_you_mean(*plan.enumeration, name)));
}

/// What stands between the quotes, unescaped. Moves On-Demand past the string.
bool JsonWalk::unquote(Value& value, std::string_view token, std::string_view& text) {
  if (token.size() < 2 || token.back() != '"') return fail_json(simdjson::STRING_ERROR);
  text = token.substr(1, token.size() - 2);
  if (!has_backslash(text)) {
    ondemand::raw_json_string taken;
    const auto code = value.get_raw_json_string().get(taken);
    return code ? fail_json(code) : true;
  }
  if (const auto code = value.get_string().get(text)) return fail_json(code);
  return has_surrogate(text) ? fail("the string has half of a surrogate pair") : true;
}

bool JsonWalk::open_object(Value& value, std::string_view token, std::string_view expected,
                           ondemand::object& object) {
  if (!begins_with(token, '{')) return fail_expected(expected, token);
  if (const auto code = value.get_object().get(object)) return fail_json(code);
  return enter_json();
}

bool JsonWalk::open_array(Value& value, std::string_view token, std::string_view expected,
                          ondemand::array& array) {
  if (!begins_with(token, '[')) return fail_expected(expected, token);
  if (const auto code = value.get_array().get(array)) return fail_json(code);
  return enter_json();
}

bool JsonWalk::open(std::size_t& content) {
  if (++wire_depth_ > wire_depth_max) return fail_depth();
  content = out_.open();
  return true;
}

void JsonWalk::close(std::size_t content) {
  out_.close(content);
  --wire_depth_;
}

bool JsonWalk::enter_json() {
  if (++json_depth_ <= json_depth_max) return true;
  return fail(
      fmt::format("expected at most {} levels of objects and lists, found more", json_depth_max));
}

bool JsonWalk::fail(std::string problem) {
  problem_ = std::move(problem);
  return false;
}

bool JsonWalk::fail_expected(std::string_view expected, std::string_view token) {
  return fail(fmt::format("expected {}, found {}", expected, found_value(token)));
}

bool JsonWalk::fail_depth() {
  return fail(
      fmt::format("expected at most {} messages inside each other, found more", wire_depth_max));
}

bool JsonWalk::fail_json(simdjson::error_code code) {
  return fail(fmt::format("expected JSON, but {}", words_for(code)));
}

}  // namespace weir::host
