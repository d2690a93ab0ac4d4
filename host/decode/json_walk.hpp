#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "base/result.hpp"
#include "decode/json_report.hpp"
#include "decode/json_to_wire.hpp"
#include "decode/message_plan.hpp"
#include "decode/padded_input.hpp"
#include "decode/wire_buffer.hpp"

namespace weir::host {

/// The walk behind JsonToWire. Every step returns false once something is wrong; the first place to
/// see it says what (fail...), and the steps on the way back to the root say where (path_).
///
/// A `token` is the text of a value as it stands in the record, without the white space after it;
/// of an object or list only the bracket that begins it. On-Demand steps by itself over a number or
/// a literal that was only looked at, but a string must be taken (unquote): it would mistake a
/// string before a stray colon for a name.
class JsonWalk {
 public:
  JsonWalk(PlanSet& plans, JsonToWire::Options options);

  Result<std::string_view> encode(std::string_view json);

 private:
  using Value = simdjson::ondemand::value;
  using Document = simdjson::ondemand::document;

  /// Whose JSON object holds the fields: an Any has "@type" among them.
  enum class Holder { message, any };

  void begin();
  bool root(std::string_view json);
  bool root_object(Document& document);
  bool root_in_list(Document& document);

  // json_walk.cpp: messages, lists and maps.
  bool fields(const MessagePlan& plan, simdjson::ondemand::object& object, Holder holder);
  bool look_up(const MessagePlan& plan, simdjson::ondemand::field& json, Holder holder,
               FieldName*& name);
  bool read_key(simdjson::ondemand::field& json, std::string_view& key);
  bool field(const FieldPlan& plan, Value& value, std::size_t marks);
  bool set_mark(std::size_t marks, std::int32_t bit);
  bool has_required(const MessagePlan& plan, std::size_t marks);
  bool tagged(const FieldPlan& plan, Value& value, std::string_view token);
  bool list(const FieldPlan& plan, Value& value, std::string_view token);
  bool map(const FieldPlan& plan, Value& value, std::string_view token);
  bool map_entry(const FieldPlan& plan, std::string_view key, Value& value);
  bool keys_differ(std::size_t first);

  // json_value.cpp: single values, and the words when something fails.
  bool one(const FieldPlan& plan, Value& value, std::string_view token);
  bool body(const FieldPlan& plan, Value& value, std::string_view token);
  bool scalar(const FieldPlan& plan, Value& value, std::string_view token);
  bool from_text(const FieldPlan& plan, std::string_view text, std::string_view token);
  bool enum_number(const FieldPlan& plan, std::string_view token);
  bool enum_name(const FieldPlan& plan, std::string_view name, std::string_view token);
  bool unquote(Value& value, std::string_view token, std::string_view& text);
  bool open_object(Value& value, std::string_view token, std::string_view expected,
                   simdjson::ondemand::object& object);
  bool open_array(Value& value, std::string_view token, std::string_view expected,
                  simdjson::ondemand::array& array);
  bool open(std::size_t& content);
  void close(std::size_t content);
  bool enter_json();
  bool fail(std::string problem);
  bool fail_expected(std::string_view expected, std::string_view token);
  bool fail_depth();
  bool fail_json(simdjson::error_code code);

  // json_well_known.cpp: messages whose JSON is not an object of their fields, and values that
  // belong to no field.
  bool time(const FieldPlan& plan, Value& value, std::string_view token);
  bool structure(Value& value, std::string_view token);
  bool structure_entry(std::string_view key, Value& value);
  bool any_value(Value& value, std::string_view token);
  bool list_value(Value& value, std::string_view token);
  bool field_mask(const FieldPlan& plan, Value& value, std::string_view token);
  bool any(Value& value, std::string_view token);
  bool any_type(simdjson::ondemand::object& object, const MessagePlan*& content);
  bool any_special(const MessagePlan& content, simdjson::ondemand::object& object);
  bool skip(Value& value);

  PlanSet& plans_;
  const JsonToWire::Options options_;
  simdjson::ondemand::parser parser_;
  PaddedInput input_;
  WireBuffer out_;
  bool give_scratch_back_ = false;

  std::vector<std::uint64_t> marks_;    ///< of the messages being read, outermost first
  std::vector<std::string_view> keys_;  ///< of the maps being read, outermost first
  std::size_t json_depth_ = 0;
  int wire_depth_ = 0;
  bool dropped_ = false;  ///< the value just read is an enum name to be ignored
  std::string problem_;
  JsonPath path_;
};

/// The token of a value.
inline std::string_view token_of(simdjson::ondemand::value& value) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' ||
                            token.back() == '\t')) {
    token.remove_suffix(1);
  }
  return token;
}

/// Whether an escape made half of a surrogate pair: simdjson takes it, but it is not UTF-8.
bool has_surrogate(std::string_view unescaped);

inline bool begins_with(std::string_view token, char c) { return !token.empty() && token[0] == c; }

}  // namespace weir::host
