#include "decode/json_walk.hpp"

#include <algorithm>

#include <google/protobuf/descriptor.h>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "decode/scalar_to_wire.hpp"

namespace weir::host {

namespace ondemand = simdjson::ondemand;

namespace {

/// Scratch memory that an unusually large record needed is given back beyond this.
constexpr std::size_t scratch_bytes_kept = std::size_t{1} << 20;

/// A guessed name is compared where the key stands, so all of it must be readable there.
constexpr std::size_t guessed_name_bytes_max = simdjson::SIMDJSON_PADDING - 2;

}  // namespace

JsonWalk::JsonWalk(PlanSet& plans, JsonToWire::Options options)
    : plans_(plans), options_(options), input_(simdjson::SIMDJSON_PADDING) {}

Result<std::string_view> JsonWalk::encode(std::string_view json) {
  begin();
  const bool done = root(json);
  give_scratch_back_ = json.size() > scratch_bytes_kept;
  if (done) return out_.view();
  return error(Errc::invalid, "{}: {}", path_.text(), problem_);
}

void JsonWalk::begin() {
  if (give_scratch_back_) {
    parser_ = ondemand::parser();
    input_.release();
    out_.trim(scratch_bytes_kept);
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

/// A root whose JSON is not an object is put into a list, because On-Demand reads a bare scalar
/// differently from one inside something.
bool JsonWalk::root(std::string_view json) {
  const bool in_list = plans_.root().kind != FieldKind::message;
  input_.load(in_list ? "[" : "", json, in_list ? "]" : "");
  Document document;
  const auto code =
      parser_.iterate(input_.data(), input_.size(), input_.padded_size()).get(document);
  if (code) return fail_json(code);
  if (!(in_list ? root_in_list(document) : root_object(document))) return false;
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
    return fail("expected nothing after the JSON value, found more");
  }
  return true;
}

bool JsonWalk::root_object(Document& document) {
  ondemand::object object;
  if (const auto code = document.get_object().get(object)) {
    std::string_view token;
    if (code == simdjson::INCORRECT_TYPE && !document.raw_json_token().get(token)) {
      return fail_expected(
          fmt::format("the JSON form of {}", plans_.root().descriptor->full_name()), token);
    }
    return fail_json(code);
  }
  return enter_json() && fields(plans_.root(), object, Holder::message);
}

bool JsonWalk::root_in_list(Document& document) {
  FieldPlan field;
  field.kind = plans_.root().kind;
  field.message = &plans_.root();
  ondemand::array array;
  if (const auto code = document.get_array().get(array)) return fail_json(code);
  std::size_t count = 0;
  for (auto entry : array) {
    Value value;
    if (const auto code = std::move(entry).get(value)) return fail_json(code);
    if (++count > 1) return fail("expected one JSON value, found more");
    if (!body(field, value, token_of(value))) return false;
  }
  return count == 1 ? true : fail("expected a JSON value, found nothing");
}

bool JsonWalk::fields(const MessagePlan& plan, ondemand::object& object, Holder holder) {
  const std::size_t marks = marks_.size();
  marks_.resize(marks + static_cast<std::size_t>(plan.mark_words));
  FieldName** guess = &plan.first;
  for (auto entry : object) {
    ondemand::field json;
    if (const auto code = std::move(entry).get(json)) return fail_json(code);
    FieldName* name = *guess;
    if (name == nullptr || !json.key().unsafe_is_equal(name->text)) {
      if (!look_up(plan, json, holder, name)) return false;
      if (name == nullptr) continue;
      if (name->text.size() <= guessed_name_bytes_max) *guess = name;
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
bool JsonWalk::look_up(const MessagePlan& plan, ondemand::field& json, Holder holder,
                       FieldName*& name) {
  std::string_view key;
  if (!read_key(json, key)) return false;
  name = plan.find(key);
  if (name != nullptr) return true;
  if (options_.ignore_unknown_fields || (holder == Holder::any && key == "@type")) {
    if (skip(json.value())) return true;
    path_.inside_field(printable(key));
    return false;
  }
  return fail(fmt::format("the message {} has no field \"{}\"{}", plan.descriptor->full_name(),
                          printable(key), did_you_mean(plan, key)));
}

bool JsonWalk::read_key(ondemand::field& json, std::string_view& key) {
  const char* const begin = json.key().raw();
  const char* end = begin;
  while (*end != '"' && *end != '\\') ++end;
  if (*end == '"') {
    key = {begin, static_cast<std::size_t>(end - begin)};
    return true;
  }
  if (const auto code = json.unescaped_key().get(key)) return fail_json(code);
  return has_surrogate(key) ? fail("a name has half of a surrogate pair") : true;
}

bool JsonWalk::field(const FieldPlan& plan, Value& value, std::size_t marks) {
  const std::string_view token = token_of(value);
  const bool null_is_value =
      !plan.repeated && (plan.kind == FieldKind::any_value || plan.kind == FieldKind::null_value);
  if (token == "null" && !null_is_value) return true;  // as if it were not there
  if (plan.oneof_bit >= 0 && set_mark(marks, plan.oneof_bit)) {
    return fail(fmt::format("expected at most one field of the oneof \"{}\", found a second",
                            plan.descriptor->real_containing_oneof()->name()));
  }
  const std::size_t before = out_.size();
  const bool done = plan.map        ? map(plan, value, token)
                    : plan.repeated ? list(plan, value, token)
                                    : tagged(plan, value, token);
  if (!done) return false;
  const bool present = plan.repeated || out_.size() != before;
  if (plan.required_bit >= 0 && present) set_mark(marks, plan.required_bit);
  return true;
}

/// Whether it was set before.
bool JsonWalk::set_mark(std::size_t marks, std::int32_t bit) {
  const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
  std::uint64_t& word = marks_[marks + static_cast<std::size_t>(bit / 64)];
  const bool was_set = (word & mask) != 0;
  word |= mask;
  return was_set;
}

bool JsonWalk::has_required(const MessagePlan& plan, std::size_t marks) {
  std::string missing;
  std::size_t missing_count = 0;
  for (const FieldPlan& field : plan.fields) {
    if (field.required_bit < 0 || set_mark(marks, field.required_bit)) continue;
    missing += (missing_count++ == 0 ? "" : ", ") + field.descriptor->name();
  }
  if (missing_count == 0) return true;
  return fail(fmt::format("required field{} missing: {}", missing_count == 1 ? "" : "s", missing));
}

/// Tag and value; nothing at all when the value is an enum name to be ignored.
bool JsonWalk::tagged(const FieldPlan& plan, Value& value, std::string_view token) {
  const std::size_t before = out_.size();
  out_.tag(plan.tag_image, plan.tag_size);
  if (!one(plan, value, token)) return false;
  if (dropped_) {
    out_.truncate(before);
    dropped_ = false;
  }
  return true;
}

bool JsonWalk::list(const FieldPlan& plan, Value& value, std::string_view token) {
  ondemand::array array;
  if (!open_array(value, token, "a list", array)) return false;
  const std::size_t before = out_.size();
  std::size_t content = 0;
  if (plan.packed) {
    out_.tag(plan.tag_image, plan.tag_size);
    content = out_.open();
  }
  std::size_t index = 0;
  for (auto entry : array) {
    Value element;
    if (const auto code = std::move(entry).get(element)) return fail_json(code);
    const std::string_view text = token_of(element);
    if (!(plan.packed ? one(plan, element, text) : tagged(plan, element, text))) {
      path_.inside_element(index);
      return false;
    }
    dropped_ = false;
    ++index;
  }
  --json_depth_;
  if (plan.packed) {
    if (out_.size() == content) {
      out_.truncate(before);
    } else {
      out_.close(content);
    }
  }
  return true;
}

bool JsonWalk::map(const FieldPlan& plan, Value& value, std::string_view token) {
  ondemand::object object;
  if (!open_object(value, token, "an object (a map)", object)) return false;
  const std::size_t first_key = keys_.size();
  for (auto entry : object) {
    ondemand::field json;
    if (const auto code = std::move(entry).get(json)) return fail_json(code);
    std::string_view key;
    if (!read_key(json, key)) return false;
    keys_.push_back(key);
    if (!map_entry(plan, key, json.value())) {
      path_.inside_map_key(key);
      return false;
    }
  }
  --json_depth_;
  return keys_differ(first_key);
}

bool JsonWalk::map_entry(const FieldPlan& plan, std::string_view key, Value& value) {
  const FieldPlan& key_plan = plan.message->fields[0];
  const FieldPlan& value_plan = plan.message->fields[1];
  const std::size_t before = out_.size();
  out_.tag(plan.tag_image, plan.tag_size);
  std::size_t content = 0;
  if (!open(content)) return false;
  out_.tag(key_plan.tag_image, key_plan.tag_size);
  if (!write_map_key(key_plan.kind, key, out_)) {
    return fail_expected(expected_value(key_plan) + " as the key",
                         fmt::format("\"{}\"", printable(key)));
  }
  out_.tag(value_plan.tag_image, value_plan.tag_size);
  if (!one(value_plan, value, token_of(value))) return false;
  close(content);
  if (dropped_) {
    out_.truncate(before);
    dropped_ = false;
  }
  return true;
}

/// A key that is twice in one JSON object is an error: a map cannot hold both.
bool JsonWalk::keys_differ(std::size_t first) {
  if (keys_.size() - first > 1) {
    const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, keys_.end());
    const auto twice = std::adjacent_find(begin, keys_.end());
    if (twice != keys_.end()) {
      return fail(fmt::format("the key \"{}\" is there twice", printable(*twice)));
    }
  }
  keys_.resize(first);
  return true;
}

}  // namespace weir::host
