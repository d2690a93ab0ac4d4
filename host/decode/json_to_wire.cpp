#include "decode/json_to_wire.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include <google/protobuf/descriptor.h>
#include <simdjson.h>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "decode/json_number.hpp"
#include "decode/json_report.hpp"
#include "decode/json_text.hpp"
#include "decode/json_util_bridge.hpp"
#include "decode/wire_buffer.hpp"
#include "decode/wire_check.hpp"

namespace weir::host {
namespace {

namespace ondemand = simdjson::ondemand;

/// Scratch memory that an unusually large record needed is given back beyond this.
constexpr std::size_t scratch_bytes_kept = std::size_t{1} << 20;

std::string_view trimmed(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' ||
                            token.back() == '\t')) {
    token.remove_suffix(1);
  }
  return token;
}

bool has_backslash(std::string_view text) {
  return !text.empty() && std::memchr(text.data(), '\\', text.size()) != nullptr;
}

/// simdjson takes an escaped surrogate without its partner and writes it as bytes that are not
/// UTF-8.
bool has_surrogate(std::string_view utf8) {
  for (std::size_t at = utf8.find('\xed'); at != utf8.npos; at = utf8.find('\xed', at + 1)) {
    if (at + 1 < utf8.size() && static_cast<unsigned char>(utf8[at + 1]) >= 0xa0) return true;
  }
  return false;
}

std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
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

// Tags of the fixed fields of the well-known types: number << 3 | wire type.
constexpr std::uint64_t seconds_tag = 0x08, nanos_tag = 0x10;
constexpr std::uint64_t entry_tag = 0x0a, key_tag = 0x0a, value_tag = 0x12, element_tag = 0x0a;
constexpr std::uint64_t null_tag = 0x08, number_tag = 0x11, string_tag = 0x1a, bool_tag = 0x20,
                        struct_tag = 0x2a, list_tag = 0x32;

}  // namespace

/// The walk. Every step returns false once something is wrong; the first place to see it says what
/// (fail...), and the steps on the way back to the root say where (path_).
class JsonToWire::Impl {
 public:
  Impl(const PlanSet& plans, Options options)
      : plans_(plans),
        options_(options),
        padding_(std::max(simdjson::SIMDJSON_PADDING, plans.name_bytes_max() + 2)) {}

  Result<std::string_view> encode(std::string_view json) {
    begin();
    const bool done = root(json);
    if (json.size() > scratch_bytes_kept) give_scratch_back_ = true;
    if (done) return out_.view();
    return error(Errc::invalid, "{}: {}", path_.text(), problem_);
  }

 private:
  void begin() {
    if (give_scratch_back_) {
      parser_ = ondemand::parser();
      input_.reset();
      input_capacity_ = 0;
      out_.trim(scratch_bytes_kept);
      give_scratch_back_ = false;
    }
    out_.clear();
    marks_.clear();
    keys_.clear();
    path_.clear();
    problem_.clear();
    json_depth_ = 0;
    wire_depth_ = 0;
    dropped_ = false;
  }

  /// simdjson reads beyond the end, so the record is copied to where that is allowed. A root that
  /// is not an object in JSON is put into a list: On-Demand treats bare scalars differently.
  ondemand::parser& load(std::string_view json, bool in_list, std::size_t& size) {
    size = json.size() + (in_list ? 2 : 0);
    if (input_capacity_ < size + padding_) {
      input_capacity_ = std::max(size + padding_, 2 * input_capacity_);
      input_ = std::make_unique<char[]>(input_capacity_);
    }
    char* at = input_.get();
    if (in_list) *at++ = '[';
    if (!json.empty()) std::memcpy(at, json.data(), json.size());
    at += json.size();
    if (in_list) *at++ = ']';
    std::memset(at, 0, padding_);
    return parser_;
  }

  bool root(std::string_view json) {
    const MessagePlan& plan = plans_.root();
    const bool in_list = plan.kind != FieldKind::message;
    std::size_t size = 0;
    load(json, in_list, size);
    ondemand::document document;
    if (const auto code = parser_.iterate(input_.get(), size, size + padding_).get(document)) {
      return fail_json(code);
    }
    if (!(in_list ? root_in_list(document) : root_object(document))) return false;
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
      return fail("expected nothing after the JSON value, found more");
    }
    return true;
  }

  bool root_object(ondemand::document& document) {
    ondemand::object object;
    if (const auto code = document.get_object().get(object)) {
      std::string_view token;
      if (code == simdjson::INCORRECT_TYPE && !document.raw_json_token().get(token)) {
        return fail_expected(
            fmt::format("the JSON form of {}", plans_.root().descriptor->full_name()), token);
      }
      return fail_json(code);
    }
    ++json_depth_;
    return fields(plans_.root(), object);
  }

  bool root_in_list(ondemand::document& document) {
    FieldPlan field;
    field.kind = plans_.root().kind;
    field.message = &plans_.root();
    ondemand::array array;
    if (const auto code = document.get_array().get(array)) return fail_json(code);
    std::size_t count = 0;
    for (auto element : array) {
      ondemand::value value;
      if (const auto code = std::move(element).get(value)) return fail_json(code);
      if (++count > 1) return fail("expected one JSON value, found more");
      const std::string_view token = trimmed(value.raw_json_token());
      if (!body(field, value, token)) return false;
    }
    return count == 1 ? true : fail("expected a JSON value, found nothing");
  }

  // Messages and their fields.

  bool fields(const MessagePlan& plan, ondemand::object& object) {
    const std::size_t marks = marks_.size();
    marks_.resize(marks + static_cast<std::size_t>(plan.mark_words));
    FieldName** guess = &plan.first;
    for (auto entry : object) {
      ondemand::field json;
      if (const auto code = std::move(entry).get(json)) return fail_json(code);
      FieldName* name = *guess;
      if (name == nullptr || !json.key().unsafe_is_equal(name->text)) {
        if (!look_up(plan, json, name)) return false;
        if (name == nullptr) continue;
        *guess = name;
      }
      guess = &name->followed_by;
      if (!field(*name->field, json.value(), marks)) {
        path_.inside_field(name->field->descriptor->name());
        return false;
      }
    }
    if (plan.required_count != 0 && !has_required(plan, marks)) return false;
    marks_.resize(marks);
    return true;
  }

  /// The field of a key that the guess did not fit; null when it is unknown and may be skipped.
  bool look_up(const MessagePlan& plan, ondemand::field& json, FieldName*& name) {
    std::string_view key;
    if (!read_key(json, key)) return false;
    name = plan.find(key);
    if (name != nullptr) return true;
    if (options_.ignore_unknown_fields) {
      if (skip(json.value())) return true;
      path_.inside_field(printable(key));
      return false;
    }
    problem_ = fmt::format("the message {} has no field \"{}\"{}", plan.descriptor->full_name(),
                           printable(key), did_you_mean(plan, key));
    return false;
  }

  bool read_key(ondemand::field& json, std::string_view& key) {
    const char* begin = json.key().raw();
    const char* end = begin;
    while (*end != '"' && *end != '\\') ++end;
    if (*end == '"') {
      key = {begin, static_cast<std::size_t>(end - begin)};
      return true;
    }
    if (const auto code = json.unescaped_key().get(key)) return fail_json(code);
    return has_surrogate(key) ? fail("a name has half of a surrogate pair") : true;
  }

  bool field(const FieldPlan& plan, ondemand::value& value, std::size_t marks) {
    const std::string_view token = trimmed(value.raw_json_token());
    if (token == "null" && (plan.repeated || (plan.kind != FieldKind::any_value &&
                                              plan.kind != FieldKind::null_value))) {
      return true;  // as if it were not there
    }
    if (plan.oneof_bit >= 0 && set_mark(marks, plan.oneof_bit)) {
      return fail_oneof(plan);
    }
    if (plan.required_bit >= 0) set_mark(marks, plan.required_bit);
    if (plan.map) return map(plan, value, token);
    if (plan.repeated) return list(plan, value, token);
    return tagged(plan, value, token);
  }

  bool set_mark(std::size_t marks, std::int32_t bit) {
    const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
    std::uint64_t& word = marks_[marks + static_cast<std::size_t>(bit / 64)];
    const bool was_set = (word & mask) != 0;
    word |= mask;
    return was_set;
  }

  bool has_required(const MessagePlan& plan, std::size_t marks) {
    std::string missing;
    std::size_t missing_count = 0;
    for (const FieldPlan& field : plan.fields) {
      if (field.required_bit < 0 || set_mark(marks, field.required_bit)) continue;
      missing += (missing_count++ == 0 ? "" : ", ") + field.descriptor->name();
    }
    if (missing_count == 0) return true;
    return fail(
        fmt::format("required field{} missing: {}", missing_count == 1 ? "" : "s", missing));
  }

  /// Tag and value; nothing at all when the value is an enum name to be ignored.
  bool tagged(const FieldPlan& plan, ondemand::value& value, std::string_view token) {
    const std::size_t start = out_.size();
    out_.tag(plan.tag_image, plan.tag_size);
    if (!one(plan, value, token)) return false;
    if (dropped_) {
      out_.truncate(start);
      dropped_ = false;
    }
    return true;
  }

  bool list(const FieldPlan& plan, ondemand::value& value, std::string_view token) {
    ondemand::array array;
    if (token.empty() || token[0] != '[') return fail_expected("a list", token);
    if (const auto code = value.get_array().get(array)) return fail_json(code);
    if (!enter_json()) return false;
    const std::size_t before = out_.size();
    std::size_t content = 0;
    if (plan.packed) {
      out_.tag(plan.tag_image, plan.tag_size);
      content = out_.open();
    }
    std::size_t index = 0;
    for (auto entry : array) {
      ondemand::value element;
      if (const auto code = std::move(entry).get(element)) return fail_json(code);
      const std::string_view text = trimmed(element.raw_json_token());
      if (!(plan.packed ? one(plan, element, text) : tagged(plan, element, text))) {
        path_.inside_element(index);
        return false;
      }
      dropped_ = false;
      ++index;
    }
    --json_depth_;
    if (!plan.packed) return true;
    if (out_.size() == content) {
      out_.truncate(before);
    } else {
      out_.close(content);
    }
    return true;
  }

  bool map(const FieldPlan& plan, ondemand::value& value, std::string_view token) {
    ondemand::object object;
    if (token.empty() || token[0] != '{') return fail_expected("an object (a map)", token);
    if (const auto code = value.get_object().get(object)) return fail_json(code);
    if (!enter_json()) return false;
    const FieldPlan& key_plan = plan.message->fields[0];
    const FieldPlan& value_plan = plan.message->fields[1];
    const std::size_t first_key = keys_.size();
    for (auto entry : object) {
      ondemand::field json;
      if (const auto code = std::move(entry).get(json)) return fail_json(code);
      std::string_view key;
      if (!read_key(json, key)) return false;
      keys_.push_back(key);
      const std::size_t before = out_.size();
      out_.tag(plan.tag_image, plan.tag_size);
      std::size_t content = 0;
      if (!open(content)) return false;
      if (!map_key(key_plan, key) || !map_value(value_plan, json.value())) {
        path_.inside_map_key(key);
        return false;
      }
      close(content);
      if (dropped_) {
        out_.truncate(before);
        dropped_ = false;
      }
    }
    --json_depth_;
    return keys_differ(first_key);
  }

  bool map_key(const FieldPlan& plan, std::string_view key) {
    out_.tag(plan.tag_image, plan.tag_size);
    if (plan.kind == FieldKind::string) {
      out_.length_and_bytes(key);
      return true;
    }
    const bool known = plan.kind == FieldKind::boolean ? boolean(key) : number(plan, key);
    if (known) return true;
    return fail_expected(expected_value(plan) + " as the key", fmt::format("\"{}\"", key));
  }

  bool map_value(const FieldPlan& plan, ondemand::value& value) {
    const std::string_view token = trimmed(value.raw_json_token());
    out_.tag(plan.tag_image, plan.tag_size);
    return one(plan, value, token);
  }

  /// Same key twice in one JSON object; a map cannot hold both.
  bool keys_differ(std::size_t first) {
    const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(first);
    if (keys_.size() - first > 1) {
      std::sort(begin, keys_.end());
      const auto twice = std::adjacent_find(begin, keys_.end());
      if (twice != keys_.end())
        return fail(fmt::format("the key \"{}\" is there twice", printable(*twice)));
    }
    keys_.resize(first);
    return true;
  }

  // Single values.

  /// One value without its tag: with its length where it has one.
  bool one(const FieldPlan& plan, ondemand::value& value, std::string_view token) {
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

  bool open(std::size_t& content) {
    if (++wire_depth_ > wire_depth_max) return fail_depth();
    content = out_.open();
    return true;
  }
  void close(std::size_t content) {
    out_.close(content);
    --wire_depth_;
  }

  /// The content of a message, whatever its JSON form.
  bool body(const FieldPlan& plan, ondemand::value& value, std::string_view token) {
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
      case FieldKind::json_util:
        return by_json_util(plan, value, token);
      default:
        break;
    }
    ondemand::object object;
    if (token.empty() || token[0] != '{') return fail_expected(expected_value(plan), token);
    if (const auto code = value.get_object().get(object)) return fail_json(code);
    if (!enter_json() || !fields(*plan.message, object)) return false;
    --json_depth_;
    return true;
  }

  bool scalar(const FieldPlan& plan, ondemand::value& value, std::string_view token) {
    if (token.empty()) return fail_expected(expected_value(plan), token);
    if (token[0] == '"') {
      std::string_view text;
      return unquote(value, token, text) && from_text(plan, text, token);
    }
    // On-Demand steps over a scalar that was only looked at.
    bool taken = false;
    if (plan.kind == FieldKind::boolean) {
      taken = boolean(token);
    } else if (plan.kind == FieldKind::null_value) {
      taken = token == "null" || number(plan, token);
      if (taken && token == "null") out_.varint(0);
    } else if (plan.kind < FieldKind::boolean || plan.kind == FieldKind::enumeration) {
      taken = number(plan, token);
    }
    return taken ? true : fail_expected(expected_value(plan), token);
  }

  bool from_text(const FieldPlan& plan, std::string_view text, std::string_view token) {
    switch (plan.kind) {
      case FieldKind::string:
        out_.length_and_bytes(text);
        return true;
      case FieldKind::bytes:
        return base64(text, token);
      case FieldKind::enumeration:
      case FieldKind::null_value:
        return enum_name(plan, text, token);
      case FieldKind::single_float:
      case FieldKind::double_float:
        if (text == "NaN" || text == "Infinity" || text == "-Infinity") {
          not_finite(plan.kind, text);
          return true;
        }
        break;
      case FieldKind::boolean:
        return fail_expected(expected_value(plan), token);
      default:
        break;
    }
    return number(plan, text) ? true : fail_expected(expected_value(plan), token);
  }

  /// What stands between the quotes, unescaped. Moves On-Demand past the string.
  bool unquote(ondemand::value& value, std::string_view token, std::string_view& text) {
    if (token.size() < 2 || token.back() != '"') return fail_json(simdjson::STRING_ERROR);
    text = token.substr(1, token.size() - 2);
    if (!has_backslash(text)) {
      ondemand::raw_json_string consumed;
      const auto code = value.get_raw_json_string().get(consumed);
      return code ? fail_json(code) : true;
    }
    if (const auto code = value.get_string().get(text)) return fail_json(code);
    return has_surrogate(text) ? fail("the string has half of a surrogate pair") : true;
  }

  bool boolean(std::string_view text) {
    if (text != "true" && text != "false") return false;
    out_.varint(text == "true" ? 1 : 0);
    return true;
  }

  /// False: not a number of this kind; says nothing, as the caller knows the words for it.
  bool number(const FieldPlan& plan, std::string_view text) {
    switch (plan.kind) {
      case FieldKind::uint32:
      case FieldKind::fixed32: {
        const auto parsed = parse_uint64(text);
        if (!parsed || *parsed > std::numeric_limits<std::uint32_t>::max()) return false;
        if (plan.kind == FieldKind::uint32) {
          out_.varint(*parsed);
        } else {
          out_.fixed(static_cast<std::uint32_t>(*parsed));
        }
        return true;
      }
      case FieldKind::uint64:
      case FieldKind::fixed64: {
        const auto parsed = parse_uint64(text);
        if (!parsed) return false;
        plan.kind == FieldKind::uint64 ? out_.varint(*parsed) : out_.fixed(*parsed);
        return true;
      }
      case FieldKind::single_float: {
        const auto parsed = parse_float(text);
        if (parsed) out_.fixed(*parsed);
        return parsed.has_value();
      }
      case FieldKind::double_float: {
        const auto parsed = parse_double(text);
        if (parsed) out_.fixed(*parsed);
        return parsed.has_value();
      }
      default:
        return signed_number(plan.kind, text);
    }
  }

  bool signed_number(FieldKind kind, std::string_view text) {
    const auto parsed = parse_int64(text);
    if (!parsed) return false;
    const std::int64_t value = *parsed;
    const bool fits_32 = value == static_cast<std::int32_t>(value);
    switch (kind) {
      case FieldKind::int64:
        out_.varint(static_cast<std::uint64_t>(value));
        return true;
      case FieldKind::sint64:
        out_.varint(zigzag(value));
        return true;
      case FieldKind::sfixed64:
        out_.fixed(value);
        return true;
      case FieldKind::sint32:
        if (fits_32) out_.varint(zigzag(value));
        return fits_32;
      case FieldKind::sfixed32:
        if (fits_32) out_.fixed(static_cast<std::int32_t>(value));
        return fits_32;
      default:
        if (fits_32) out_.varint(static_cast<std::uint64_t>(value));
        return fits_32;
    }
  }

  void not_finite(FieldKind kind, std::string_view text) {
    double value = std::numeric_limits<double>::quiet_NaN();
    if (text != "NaN") value = std::numeric_limits<double>::infinity();
    if (text[0] == '-') value = -value;
    if (kind == FieldKind::double_float) {
      out_.fixed(value);
    } else {
      out_.fixed(static_cast<float>(value));
    }
  }

  bool base64(std::string_view text, std::string_view token) {
    const std::size_t content = out_.open();
    const auto size = decode_base64(text, out_.room(base64_bytes_max(text)));
    if (!size) return fail_expected("a string of base64", token);
    out_.advance(*size);
    out_.close(content);
    return true;
  }

  bool enum_name(const FieldPlan& plan, std::string_view name, std::string_view token) {
    const auto at = plan.enumeration->numbers.find(name);
    if (at != plan.enumeration->numbers.end()) {
      out_.varint(static_cast<std::uint64_t>(std::int64_t{at->second}));
      return true;
    }
    if (options_.ignore_unknown_fields) {
      dropped_ = true;
      return true;
    }
    fail_expected(expected_value(plan), token);
    problem_ += did_you_mean(*plan.enumeration, name);
    return false;
  }

  // Well-known types.

  bool time(const FieldPlan& plan, ondemand::value& value, std::string_view token) {
    std::string_view text;
    if (token.empty() || token[0] != '"') return fail_expected(expected_value(plan), token);
    if (!unquote(value, token, text)) return false;
    const auto parsed =
        plan.kind == FieldKind::timestamp ? parse_timestamp(text) : parse_duration(text);
    if (!parsed) return fail_expected(expected_value(plan), token);
    out_.tag(seconds_tag, 1);
    out_.varint(static_cast<std::uint64_t>(parsed->seconds));
    out_.tag(nanos_tag, 1);
    out_.varint(static_cast<std::uint64_t>(std::int64_t{parsed->nanos}));
    return true;
  }

  bool structure(ondemand::value& value, std::string_view token) {
    ondemand::object object;
    if (token.empty() || token[0] != '{') return fail_expected("an object", token);
    if (const auto code = value.get_object().get(object)) return fail_json(code);
    if (!enter_json()) return false;
    const std::size_t first_key = keys_.size();
    for (auto entry : object) {
      ondemand::field json;
      if (const auto code = std::move(entry).get(json)) return fail_json(code);
      std::string_view key;
      if (!read_key(json, key)) return false;
      keys_.push_back(key);
      std::size_t whole = 0, content = 0;
      out_.tag(entry_tag, 1);
      if (!open(whole)) return false;
      out_.tag(key_tag, 1);
      out_.length_and_bytes(key);
      out_.tag(value_tag, 1);
      const std::string_view text = trimmed(json.value().raw_json_token());
      if (!open(content) || !any_value(json.value(), text)) {
        path_.inside_field(printable(key));
        return false;
      }
      close(content);
      close(whole);
    }
    --json_depth_;
    return keys_differ(first_key);
  }

  bool list_value(ondemand::value& value, std::string_view token) {
    ondemand::array array;
    if (token.empty() || token[0] != '[') return fail_expected("a list", token);
    if (const auto code = value.get_array().get(array)) return fail_json(code);
    if (!enter_json()) return false;
    std::size_t index = 0;
    for (auto entry : array) {
      ondemand::value element;
      if (const auto code = std::move(entry).get(element)) return fail_json(code);
      const std::string_view text = trimmed(element.raw_json_token());
      std::size_t content = 0;
      out_.tag(element_tag, 1);
      if (!open(content) || !any_value(element, text)) {
        path_.inside_element(index);
        return false;
      }
      close(content);
      ++index;
    }
    --json_depth_;
    return true;
  }

  bool any_value(ondemand::value& value, std::string_view token) {
    std::size_t content = 0;
    switch (token.empty() ? '\0' : token[0]) {
      case '{':
        out_.tag(struct_tag, 1);
        if (!open(content) || !structure(value, token)) return false;
        close(content);
        return true;
      case '[':
        out_.tag(list_tag, 1);
        if (!open(content) || !list_value(value, token)) return false;
        close(content);
        return true;
      case '"': {
        std::string_view text;
        if (!unquote(value, token, text)) return false;
        out_.tag(string_tag, 1);
        out_.length_and_bytes(text);
        return true;
      }
      default:
        break;
    }
    if (token == "null") {
      out_.tag(null_tag, 1);
      out_.varint(0);
      return true;
    }
    if (token == "true" || token == "false") {
      out_.tag(bool_tag, 1);
      return boolean(token);
    }
    const auto parsed = parse_double(token);
    if (!parsed) return fail_expected("a JSON value", token);
    out_.tag(number_tag, 1);
    out_.fixed(*parsed);
    return true;
  }

  bool by_json_util(const FieldPlan& plan, ondemand::value& value, std::string_view token) {
    std::string_view json = token;
    if (!token.empty() && token[0] == '{') {
      ondemand::object object;
      if (const auto code = value.get_object().get(object)) return fail_json(code);
      if (const auto code = object.raw_json().get(json)) return fail_json(code);
    } else if (!token.empty() && token[0] == '"') {
      std::string_view text;
      if (!unquote(value, token, text)) return false;
    } else {
      return fail_expected(expected_value(plan), token);
    }
    auto bytes = json_util_.encode(*plan.message->descriptor, json, options_.ignore_unknown_fields);
    if (!bytes) {
      return fail(fmt::format("expected {}, found something else: {}", expected_value(plan),
                              bytes.error().message));
    }
    char* room = out_.room(bytes->size());
    if (!bytes->empty()) std::memcpy(room, bytes->data(), bytes->size());
    out_.advance(bytes->size());
    return true;
  }

  /// Steps over the value of an unknown field, but only if it is JSON.
  bool skip(ondemand::value& value) {
    const std::string_view token = trimmed(value.raw_json_token());
    if (token.empty()) return fail_expected("a JSON value", token);
    if (token[0] == '{') {
      ondemand::object object;
      if (const auto code = value.get_object().get(object)) return fail_json(code);
      if (!enter_json()) return false;
      for (auto entry : object) {
        ondemand::field json;
        if (const auto code = std::move(entry).get(json)) return fail_json(code);
        std::string_view key;
        if (!read_key(json, key) || !skip(json.value())) return false;
      }
      --json_depth_;
      return true;
    }
    if (token[0] == '[') {
      ondemand::array array;
      if (const auto code = value.get_array().get(array)) return fail_json(code);
      if (!enter_json()) return false;
      for (auto entry : array) {
        ondemand::value element;
        if (const auto code = std::move(entry).get(element)) return fail_json(code);
        if (!skip(element)) return false;
      }
      --json_depth_;
      return true;
    }
    if (token[0] == '"') {
      std::string_view text;
      return unquote(value, token, text);
    }
    const bool known =
        token == "null" || token == "true" || token == "false" || is_json_number(token);
    return known ? true : fail_expected("a JSON value", token);
  }

  // Failing.

  bool enter_json() {
    if (++json_depth_ <= json_depth_max) return true;
    return fail(
        fmt::format("expected at most {} levels of objects and lists, found more", json_depth_max));
  }

  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  bool fail_expected(std::string_view expected, std::string_view token) {
    return fail(fmt::format("expected {}, found {}", expected, found_value(token)));
  }
  bool fail_depth() {
    return fail(
        fmt::format("expected at most {} messages inside each other, found more", wire_depth_max));
  }
  bool fail_oneof(const FieldPlan& plan) {
    return fail(fmt::format("expected at most one field of the oneof \"{}\", found a second",
                            plan.descriptor->real_containing_oneof()->name()));
  }
  bool fail_json(simdjson::error_code code) {
    return fail(fmt::format("expected JSON, but {}", words_for(code)));
  }

  const PlanSet& plans_;
  const Options options_;
  const std::size_t padding_;
  ondemand::parser parser_;
  std::unique_ptr<char[]> input_;
  std::size_t input_capacity_ = 0;
  bool give_scratch_back_ = false;
  WireBuffer out_;
  JsonUtilBridge json_util_;

  std::vector<std::uint64_t> marks_;    ///< of the messages being read, outermost first
  std::vector<std::string_view> keys_;  ///< of the maps being read, outermost first
  std::size_t json_depth_ = 0;
  int wire_depth_ = 0;
  bool dropped_ = false;  ///< the value just read is an enum name to be ignored
  std::string problem_;
  JsonPath path_;
};

JsonToWire::JsonToWire(const PlanSet& plans, Options options)
    : impl_(std::make_unique<Impl>(plans, options)) {}
JsonToWire::~JsonToWire() = default;

Result<std::string_view> JsonToWire::encode(std::string_view json) { return impl_->encode(json); }

}  // namespace weir::host
