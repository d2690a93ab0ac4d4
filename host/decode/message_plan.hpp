#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tsl/robin_map.h>

#include "base/result.hpp"

namespace google::protobuf {
class Descriptor;
class EnumDescriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace weir::host {

/// How a field's value is read from JSON and written to the wire. After the scalars: the messages,
/// of which all but the first two have a JSON form of their own.
enum class FieldKind : std::uint8_t {
  int32,
  int64,
  uint32,
  uint64,
  sint32,
  sint64,
  fixed32,
  fixed64,
  sfixed32,
  sfixed64,
  single_float,
  double_float,
  boolean,
  enumeration,
  null_value,  ///< google.protobuf.NullValue: the one enum whose JSON is null
  string,
  bytes,
  message,
  group,
  timestamp,
  duration,
  wrapper,     ///< google.protobuf.Int32Value and its like
  structure,   ///< google.protobuf.Struct
  any_value,   ///< google.protobuf.Value
  list_value,  ///< google.protobuf.ListValue
  any,         ///< google.protobuf.Any
  field_mask,  ///< google.protobuf.FieldMask
};

constexpr bool is_message(FieldKind kind) { return kind >= FieldKind::message; }

struct MessagePlan;

struct EnumPlan {
  const google::protobuf::EnumDescriptor* descriptor = nullptr;
  tsl::robin_map<std::string_view, int> numbers;
  std::vector<int> values;  ///< known numbers, sorted

  bool has(std::int64_t number) const;
};

struct FieldPlan {
  std::uint64_t tag_image = 0;  ///< the tag's varint, ready to be stored as 8 bytes
  std::uint8_t tag_size = 0;    ///< how many of them count
  FieldKind kind = FieldKind::int32;
  bool repeated = false;  ///< also true for a map
  bool packable = false;  ///< repeated scalar: may arrive packed or not
  bool packed = false;    ///< written packed
  bool map = false;       ///< message is the entry: fields[0] is the key, fields[1] the value
  bool check_utf8 = false;
  bool closed_enum = false;    ///< proto2: parsers set unknown numbers aside as unknown fields
  std::uint8_t wire_type = 0;  ///< of one value
  std::uint32_t number = 0;
  std::int32_t required_bit = -1;  ///< in the marks of its message; -1: may be absent
  std::int32_t oneof_bit = -1;     ///< shared by the members of a oneof; -1: in none
  const MessagePlan* message = nullptr;
  const EnumPlan* enumeration = nullptr;
  const google::protobuf::FieldDescriptor* descriptor = nullptr;
};

/// One name under which JSON may write a field. `followed_by` is learned: the name that came next
/// the last time, which is almost always the one that comes next this time.
struct FieldName {
  std::string_view text;
  const FieldPlan* field = nullptr;
  FieldName* followed_by = nullptr;
};

/// Everything about a message type that decoding asks, looked up once.
struct MessagePlan {
  const google::protobuf::Descriptor* descriptor = nullptr;
  FieldKind kind = FieldKind::message;
  std::vector<FieldPlan> fields;        ///< by number
  std::vector<std::int32_t> by_number;  ///< index into fields for small numbers, -1: none
  std::int32_t required_count = 0;      ///< bits [0, required_count) of the marks must be set
  std::int32_t mark_words = 0;          ///< 64 marks each: required fields, then oneofs

  const FieldPlan* find(std::uint32_t number) const;
  FieldName* find(std::string_view name) const;

  std::vector<FieldName> names;
  tsl::robin_map<std::string_view, FieldName*> by_name;
  mutable FieldName* first = nullptr;  ///< learned, as FieldName::followed_by
};

/// A mistake to build in, so that a test can show that it would be noticed.
enum class PlanFault { none, sint_without_zigzag, oneof_clash_accepted, second_enum_value_wrong };

/// The plans of a message type and of all that it is made of. Not shared: plans learn.
class PlanSet {
 public:
  /// `required`: names or dotted paths of fields that must be present, in every element where the
  /// path goes through a list. Errc::config: a path does not lead to a field.
  static Result<std::unique_ptr<PlanSet>> build(const google::protobuf::Descriptor& message,
                                                const std::vector<std::string>& required,
                                                PlanFault fault = PlanFault::none);

  const MessagePlan& root() const { return *root_; }

  /// For what an Any holds: the plan of a type of the root's pool, made at first use. Null: the
  /// pool has no such type.
  const MessagePlan* by_name(std::string_view full_name);

 private:
  /// One type has several plans when `required` asks different things of it in different places.
  using Key = std::pair<const google::protobuf::Descriptor*, std::vector<std::string>>;

  Result<const MessagePlan*> plan(const google::protobuf::Descriptor& message,
                                  const std::vector<std::string>& required);
  Result<void> fill(MessagePlan& plan, const std::vector<std::string>& required);
  static void add_names(MessagePlan& plan);
  Result<FieldPlan> field(const google::protobuf::FieldDescriptor& descriptor,
                          const std::vector<std::string>& required);
  const EnumPlan* enumeration(const google::protobuf::EnumDescriptor& descriptor);

  PlanFault fault_ = PlanFault::none;
  const MessagePlan* root_ = nullptr;
  std::map<Key, std::unique_ptr<MessagePlan>> messages_;
  std::map<const google::protobuf::EnumDescriptor*, std::unique_ptr<EnumPlan>> enums_;
};

}  // namespace weir::host
