#include <cstring>

#include <google/protobuf/descriptor.h>

#include "base/bytes.hpp"
#include "decode/json_number.hpp"
#include "decode/json_text.hpp"
#include "decode/json_walk.hpp"
#include "decode/scalar_to_wire.hpp"

namespace weir::host {

namespace ondemand = simdjson::ondemand;

namespace {

// Tags of the well-known types, which never change: number << 3 | wire type.
constexpr std::uint64_t seconds_tag = 0x08;
constexpr std::uint64_t nanos_tag = 0x10;
constexpr std::uint64_t struct_entry_tag = 0x0a;
constexpr std::uint64_t entry_key_tag = 0x0a;
constexpr std::uint64_t entry_value_tag = 0x12;
constexpr std::uint64_t list_element_tag = 0x0a;
constexpr std::uint64_t value_null_tag = 0x08;
constexpr std::uint64_t value_number_tag = 0x11;
constexpr std::uint64_t value_string_tag = 0x1a;
constexpr std::uint64_t value_bool_tag = 0x20;
constexpr std::uint64_t value_struct_tag = 0x2a;
constexpr std::uint64_t value_list_tag = 0x32;

}  // namespace

bool JsonWalk::time(const FieldPlan& plan, Value& value, std::string_view token) {
  std::string_view text;
  if (!begins_with(token, '"')) return fail_expected(expected_value(plan), token);
  if (!unquote(value, token, text)) return false;
  const auto parsed =
      plan.kind == FieldKind::timestamp ? parse_json_timestamp(text) : parse_json_duration(text);
  if (!parsed) return fail_expected(expected_value(plan), token);
  out_.tag(seconds_tag, 1);
  out_.varint(static_cast<std::uint64_t>(parsed->seconds));
  out_.tag(nanos_tag, 1);
  out_.varint(static_cast<std::uint64_t>(std::int64_t{parsed->nanos}));
  return true;
}

bool JsonWalk::structure(Value& value, std::string_view token) {
  ondemand::object object;
  if (!open_object(value, token, "an object", object)) return false;
  const std::size_t first_key = keys_.size();
  for (auto entry : object) {
    ondemand::field json;
    if (const auto code = std::move(entry).get(json)) return fail_json(code);
    std::string_view key;
    if (!read_key(json, key)) return false;
    keys_.push_back(key);
    if (!structure_entry(key, json.value())) {
      path_.inside_field(printable(key));
      return false;
    }
  }
  --json_depth_;
  return keys_differ(first_key);
}

bool JsonWalk::structure_entry(std::string_view key, Value& value) {
  std::size_t entry = 0;
  std::size_t content = 0;
  out_.tag(struct_entry_tag, 1);
  if (!open(entry)) return false;
  out_.tag(entry_key_tag, 1);
  out_.length_and_bytes(key);
  out_.tag(entry_value_tag, 1);
  if (!open(content) || !any_value(value, token_of(value))) return false;
  close(content);
  close(entry);
  return true;
}

bool JsonWalk::list_value(Value& value, std::string_view token) {
  ondemand::array array;
  if (!open_array(value, token, "a list", array)) return false;
  std::size_t index = 0;
  for (auto entry : array) {
    Value element;
    if (const auto code = std::move(entry).get(element)) return fail_json(code);
    std::size_t content = 0;
    out_.tag(list_element_tag, 1);
    if (!open(content) || !any_value(element, token_of(element))) {
      path_.inside_element(index);
      return false;
    }
    close(content);
    ++index;
  }
  --json_depth_;
  return true;
}

bool JsonWalk::any_value(Value& value, std::string_view token) {
  if (begins_with(token, '{') || begins_with(token, '[')) {
    const bool object = token[0] == '{';
    std::size_t content = 0;
    out_.tag(object ? value_struct_tag : value_list_tag, 1);
    if (!open(content)) return false;
    if (!(object ? structure(value, token) : list_value(value, token))) return false;
    close(content);
    return true;
  }
  if (begins_with(token, '"')) {
    std::string_view text;
    if (!unquote(value, token, text)) return false;
    out_.tag(value_string_tag, 1);
    out_.length_and_bytes(text);
    return true;
  }
  if (token == "null") {
    out_.tag(value_null_tag, 1);
    out_.varint(0);
    return true;
  }
  if (token == "true" || token == "false") {
    out_.tag(value_bool_tag, 1);
    return write_boolean(token, out_);
  }
  const auto parsed = parse_double(token);
  if (!parsed) return fail_expected("a JSON value", token);
  out_.tag(value_number_tag, 1);
  out_.fixed(*parsed);
  return true;
}

bool JsonWalk::by_json_util(const FieldPlan& plan, Value& value, std::string_view token) {
  std::string_view json = token;
  if (begins_with(token, '{')) {
    ondemand::object object;
    if (const auto code = value.get_object().get(object)) return fail_json(code);
    if (const auto code = object.raw_json().get(json)) return fail_json(code);
  } else if (begins_with(token, '"')) {
    std::string_view text;
    if (!unquote(value, token, text)) return false;
  } else {
    return fail_expected(expected_value(plan), token);
  }
  const auto wire =
      json_util_.encode(*plan.message->descriptor, json, options_.ignore_unknown_fields);
  if (!wire) {
    return fail(fmt::format("expected {}, found something else: {}", expected_value(plan),
                            wire.error().message));
  }
  char* const room = out_.room(wire->size());
  if (!wire->empty()) std::memcpy(room, wire->data(), wire->size());
  out_.advance(wire->size());
  return true;
}

/// Steps over the value of an unknown field, but only if it is JSON.
bool JsonWalk::skip(Value& value) {
  const std::string_view token = token_of(value);
  if (begins_with(token, '{')) {
    ondemand::object object;
    if (!open_object(value, token, "", object)) return false;
    for (auto entry : object) {
      ondemand::field json;
      if (const auto code = std::move(entry).get(json)) return fail_json(code);
      std::string_view key;
      if (!read_key(json, key) || !skip(json.value())) return false;
    }
    --json_depth_;
    return true;
  }
  if (begins_with(token, '[')) {
    ondemand::array array;
    if (!open_array(value, token, "", array)) return false;
    for (auto entry : array) {
      Value element;
      if (const auto code = std::move(entry).get(element)) return fail_json(code);
      if (!skip(element)) return false;
    }
    --json_depth_;
    return true;
  }
  if (begins_with(token, '"')) {
    std::string_view text;
    return unquote(value, token, text);
  }
  const bool literal = token == "null" || token == "true" || token == "false";
  return literal || is_json_number(token) ? true : fail_expected("a JSON value", token);
}

}  // namespace weir::host
