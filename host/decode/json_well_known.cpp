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
constexpr std::uint64_t mask_path_tag = 0x0a;
constexpr std::uint64_t any_type_tag = 0x0a;
constexpr std::uint64_t any_value_tag = 0x12;
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

bool JsonWalk::field_mask(const FieldPlan& plan, Value& value, std::string_view token) {
  std::string_view text;
  if (!begins_with(token, '"')) return fail_expected(expected_value(plan), token);
  if (!unquote(value, token, text)) return false;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view path = text.substr(0, comma);
    out_.tag(mask_path_tag, 1);
    const std::size_t content = out_.open();
    char* const room = out_.room(2 * path.size());
    char* at = room;
    for (const char c : path) {
      const bool upper = c >= 'A' && c <= 'Z';
      const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.';
      if (!upper && !plain) return fail_expected(expected_value(plan), token);
      if (upper) *at++ = '_';
      *at++ = upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
    if (path.empty() || comma == text.size() - 1) return fail_expected(expected_value(plan), token);
    out_.advance(static_cast<std::size_t>(at - room));
    out_.close(content);
    text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
  }
  return true;
}

/// {"@type": "type.googleapis.com/some.Message", and then that message's fields, or its own JSON
/// form as "value"}; the type may come last.
bool JsonWalk::any(Value& value, std::string_view token) {
  ondemand::object object;
  if (!open_object(value, token, "an object (google.protobuf.Any)", object)) return false;
  const MessagePlan* content = nullptr;
  if (!any_type(object, content)) return false;
  if (content == nullptr) {
    --json_depth_;
    return true;
  }
  out_.tag(any_value_tag, 1);
  std::size_t start = 0;
  if (!open(start)) return false;
  const bool done = content->kind == FieldKind::message ? fields(*content, object, Holder::any)
                                                        : any_special(*content, object);
  if (!done) return false;
  close(start);
  --json_depth_;
  return true;
}

/// Writes the type and leaves On-Demand at the first field. `content` is null for an empty object.
bool JsonWalk::any_type(ondemand::object& object, const MessagePlan*& content) {
  bool is_empty = false;
  if (const auto code = object.is_empty().get(is_empty)) return fail_json(code);
  if (is_empty) return true;
  Value type;
  if (const auto code = object.find_field_unordered("@type").get(type)) {
    if (code == simdjson::NO_SUCH_FIELD) return fail("expected \"@type\", found an Any without it");
    return fail_json(code);
  }
  const std::string_view token = token_of(type);
  std::string_view url;
  if (!begins_with(token, '"')) return fail_expected("the URL of a type as \"@type\"", token);
  if (!unquote(type, token, url)) return false;
  const std::size_t slash = url.rfind('/');
  content = slash == url.npos || slash == 0 ? nullptr : plans_.by_name(url.substr(slash + 1));
  if (content == nullptr) {
    return fail(fmt::format("\"@type\": expected the URL of a message type of the plugin, found {}",
                            found_value(token)));
  }
  out_.tag(any_type_tag, 1);
  out_.length_and_bytes(url);
  if (const auto code = object.reset().error()) return fail_json(code);
  return true;
}

/// An Any that holds a message with a JSON form of its own, which is then the field "value".
bool JsonWalk::any_special(const MessagePlan& content, ondemand::object& object) {
  FieldPlan plan;
  plan.kind = content.kind;
  plan.message = &content;
  bool found = false;
  for (auto entry : object) {
    ondemand::field json;
    if (const auto code = std::move(entry).get(json)) return fail_json(code);
    std::string_view key;
    if (!read_key(json, key)) return false;
    if (key == "value" && !found) {
      found = true;
      if (body(plan, json.value(), token_of(json.value()))) continue;
      path_.inside_field("value");
      return false;
    }
    if (key != "@type" && !options_.ignore_unknown_fields) {
      return fail(
          fmt::format("expected \"@type\" and one \"value\", found \"{}\"", printable(key)));
    }
    if (!skip(json.value())) return false;
  }
  return found ? true : fail("expected \"value\" beside \"@type\", found none");
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
