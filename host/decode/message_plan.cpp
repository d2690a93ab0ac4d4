#include "decode/message_plan.hpp"

#include <algorithm>
#include <array>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/wire_format_lite.h>

namespace weir::host {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::internal::WireFormatLite;

bool has_field(const Descriptor& message, int number, FieldDescriptor::Type type) {
  const FieldDescriptor* field = message.FindFieldByNumber(number);
  return field != nullptr && field->type() == type;
}

/// A well-known name counts only with the fields that go with it: the wire is written by number.
FieldKind message_kind(const Descriptor& message) {
  const std::string& name = message.full_name();
  constexpr std::string_view package = "google.protobuf.";
  if (!name.starts_with(package)) return FieldKind::message;
  const std::string_view word = std::string_view(name).substr(package.size());
  if (word == "Timestamp" || word == "Duration") {
    if (has_field(message, 1, FieldDescriptor::TYPE_INT64) &&
        has_field(message, 2, FieldDescriptor::TYPE_INT32)) {
      return word == "Timestamp" ? FieldKind::timestamp : FieldKind::duration;
    }
  }
  static constexpr std::array wrappers{"DoubleValue", "FloatValue",  "Int64Value",
                                       "UInt64Value", "Int32Value",  "UInt32Value",
                                       "BoolValue",   "StringValue", "BytesValue"};
  if (std::find(wrappers.begin(), wrappers.end(), word) != wrappers.end() &&
      message.field_count() == 1 && message.field(0)->number() == 1 &&
      message.field(0)->message_type() == nullptr && !message.field(0)->is_repeated()) {
    return FieldKind::wrapper;
  }
  if (word == "Struct" && has_field(message, 1, FieldDescriptor::TYPE_MESSAGE)) {
    return FieldKind::structure;
  }
  if (word == "Value" && has_field(message, 2, FieldDescriptor::TYPE_DOUBLE) &&
      has_field(message, 6, FieldDescriptor::TYPE_MESSAGE)) {
    return FieldKind::any_value;
  }
  if (word == "ListValue" && has_field(message, 1, FieldDescriptor::TYPE_MESSAGE)) {
    return FieldKind::list_value;
  }
  if (word == "Any" && has_field(message, 1, FieldDescriptor::TYPE_STRING) &&
      has_field(message, 2, FieldDescriptor::TYPE_BYTES)) {
    return FieldKind::any;
  }
  if (word == "FieldMask" && has_field(message, 1, FieldDescriptor::TYPE_STRING)) {
    return FieldKind::field_mask;
  }
  return FieldKind::message;
}

FieldKind field_kind(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_INT32:
      return FieldKind::int32;
    case FieldDescriptor::TYPE_INT64:
      return FieldKind::int64;
    case FieldDescriptor::TYPE_UINT32:
      return FieldKind::uint32;
    case FieldDescriptor::TYPE_UINT64:
      return FieldKind::uint64;
    case FieldDescriptor::TYPE_SINT32:
      return FieldKind::sint32;
    case FieldDescriptor::TYPE_SINT64:
      return FieldKind::sint64;
    case FieldDescriptor::TYPE_FIXED32:
      return FieldKind::fixed32;
    case FieldDescriptor::TYPE_FIXED64:
      return FieldKind::fixed64;
    case FieldDescriptor::TYPE_SFIXED32:
      return FieldKind::sfixed32;
    case FieldDescriptor::TYPE_SFIXED64:
      return FieldKind::sfixed64;
    case FieldDescriptor::TYPE_FLOAT:
      return FieldKind::single_float;
    case FieldDescriptor::TYPE_DOUBLE:
      return FieldKind::double_float;
    case FieldDescriptor::TYPE_BOOL:
      return FieldKind::boolean;
    case FieldDescriptor::TYPE_STRING:
      return FieldKind::string;
    case FieldDescriptor::TYPE_BYTES:
      return FieldKind::bytes;
    case FieldDescriptor::TYPE_GROUP:
      return FieldKind::group;
    case FieldDescriptor::TYPE_ENUM:
      return field.enum_type()->full_name() == "google.protobuf.NullValue" ? FieldKind::null_value
                                                                           : FieldKind::enumeration;
    case FieldDescriptor::TYPE_MESSAGE:
      return message_kind(*field.message_type());
  }
  return FieldKind::message;
}

void set_tag(FieldPlan& plan, std::uint8_t wire_type) {
  std::uint32_t tag = plan.number << 3 | wire_type;
  while (tag >= 0x80) {
    plan.tag_image |= std::uint64_t{(tag & 0x7f) | 0x80} << (8 * plan.tag_size++);
    tag >>= 7;
  }
  plan.tag_image |= std::uint64_t{tag} << (8 * plan.tag_size++);
}

/// The paths that go on below `name`, without it.
std::vector<std::string> below(const std::vector<std::string>& paths,
                               const FieldDescriptor& field) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    const std::size_t dot = path.find('.');
    const std::string head = path.substr(0, dot);
    if (dot != std::string::npos && (head == field.name() || head == field.json_name())) {
      out.push_back(path.substr(dot + 1));
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

bool is_named(const std::vector<std::string>& paths, const FieldDescriptor& field) {
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
    const std::string head = path.substr(0, path.find('.'));
    return head == field.name() || head == field.json_name();
  });
}

Result<void> check_paths(const Descriptor& message, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    const std::string head = path.substr(0, path.find('.'));
    bool found = false;
    for (int i = 0; i < message.field_count() && !found; ++i) {
      found = head == message.field(i)->name() || head == message.field(i)->json_name();
    }
    if (!found) {
      return error(Errc::config,
                   "required: the message {} has no field \"{}\"; name fields as its .proto does, "
                   "and write fields of fields as \"outer.inner\"",
                   message.full_name(), head);
    }
  }
  return {};
}

}  // namespace

bool EnumPlan::has(std::int64_t number) const {
  const auto at = std::lower_bound(values.begin(), values.end(), number);
  return at != values.end() && *at == number;
}

const FieldPlan* MessagePlan::find(std::uint32_t number) const {
  if (number < by_number.size()) {
    const std::int32_t index = by_number[number];
    return index < 0 ? nullptr : &fields[static_cast<std::size_t>(index)];
  }
  const auto at = std::lower_bound(
      fields.begin(), fields.end(), number,
      [](const FieldPlan& field, std::uint32_t wanted) { return field.number < wanted; });
  return at != fields.end() && at->number == number ? &*at : nullptr;
}

FieldName* MessagePlan::find(std::string_view name) const {
  const auto at = by_name.find(name);
  return at == by_name.end() ? nullptr : at->second;
}

Result<std::unique_ptr<PlanSet>> PlanSet::build(const Descriptor& message,
                                                const std::vector<std::string>& required,
                                                PlanFault fault) {
  auto set = std::make_unique<PlanSet>();
  set->fault_ = fault;
  WEIR_TRY(set->root_, set->plan(message, required));
  return set;
}

const MessagePlan* PlanSet::by_name(std::string_view full_name) {
  const auto* pool = root_->descriptor->file()->pool();
  const Descriptor* message = pool->FindMessageTypeByName(std::string(full_name));
  if (message == nullptr) return nullptr;
  auto made = plan(*message, {});  // fails only for what is required
  return made ? *made : nullptr;
}

Result<const MessagePlan*> PlanSet::plan(const Descriptor& message,
                                         const std::vector<std::string>& required) {
  auto& slot = messages_[Key(&message, required)];
  if (slot != nullptr) return slot.get();
  slot = std::make_unique<MessagePlan>();
  MessagePlan& made = *slot;
  made.descriptor = &message;
  made.kind = message_kind(message);
  WEIR_CHECK(check_paths(message, required));
  if (!required.empty() && made.kind != FieldKind::message) {
    return error(Errc::config, "required: {} has no fields in JSON, so \"{}\" cannot be required",
                 message.full_name(), required.front());
  }
  WEIR_CHECK(fill(made, required));
  return &made;
}

Result<void> PlanSet::fill(MessagePlan& plan, const std::vector<std::string>& required) {
  const Descriptor& message = *plan.descriptor;
  std::int32_t bits = 0;
  for (int i = 0; i < message.field_count(); ++i) {
    WEIR_TRY(FieldPlan made, field(*message.field(i), below(required, *message.field(i))));
    if (message.field(i)->is_required() || is_named(required, *message.field(i))) {
      made.required_bit = bits++;
    }
    plan.fields.push_back(made);
  }
  plan.required_count = bits;
  std::sort(plan.fields.begin(), plan.fields.end(),
            [](const FieldPlan& a, const FieldPlan& b) { return a.number < b.number; });

  const std::size_t dense = 4 * plan.fields.size() + 32;
  plan.by_number.assign(
      plan.fields.empty() ? 0 : std::min<std::size_t>(dense, plan.fields.back().number + 1), -1);
  for (std::size_t i = 0; i < plan.fields.size(); ++i) {
    FieldPlan& made = plan.fields[i];
    if (made.number < plan.by_number.size()) {
      plan.by_number[made.number] = static_cast<std::int32_t>(i);
    }
    const auto* oneof = made.descriptor->real_containing_oneof();
    if (oneof != nullptr && fault_ != PlanFault::oneof_clash_accepted) {
      made.oneof_bit = bits + oneof->index();
    }
  }
  bits += message.real_oneof_decl_count();
  plan.mark_words = (bits + 63) / 64;

  add_names(plan);
  return {};
}

void PlanSet::add_names(MessagePlan& plan) {
  // JSON names first: where one field's JSON name is another's own name, the JSON name wins.
  plan.names.reserve(2 * plan.fields.size());
  for (const bool json : {true, false}) {
    for (const FieldPlan& made : plan.fields) {
      const std::string& text = json ? made.descriptor->json_name() : made.descriptor->name();
      plan.names.push_back({text, &made, nullptr});
      if (!plan.by_name.emplace(text, &plan.names.back()).second) plan.names.pop_back();
    }
  }
}

Result<FieldPlan> PlanSet::field(const FieldDescriptor& descriptor,
                                 const std::vector<std::string>& required) {
  FieldPlan made;
  made.descriptor = &descriptor;
  made.number = static_cast<std::uint32_t>(descriptor.number());
  made.kind = field_kind(descriptor);
  made.repeated = descriptor.is_repeated();
  made.packable = descriptor.is_packable();
  made.packed = descriptor.is_packed();
  made.map = descriptor.is_map();
  made.check_utf8 = made.kind == FieldKind::string &&
                    descriptor.file()->syntax() == FileDescriptor::SYNTAX_PROTO3;
  // As in Protobuf 3.21, the file of the field decides, not the file of the enum.
  made.closed_enum = descriptor.enum_type() != nullptr &&
                     descriptor.file()->syntax() != FileDescriptor::SYNTAX_PROTO3;
  made.wire_type = static_cast<std::uint8_t>(WireFormatLite::WireTypeForFieldType(
      static_cast<WireFormatLite::FieldType>(descriptor.type())));
  constexpr std::uint8_t sized = WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
  set_tag(made, made.packed ? sized : made.wire_type);
  if (fault_ == PlanFault::sint_without_zigzag) {
    if (made.kind == FieldKind::sint32) made.kind = FieldKind::int32;
    if (made.kind == FieldKind::sint64) made.kind = FieldKind::int64;
  }
  if (!required.empty() && (descriptor.message_type() == nullptr || made.map)) {
    return error(Errc::config,
                 "required: {} is {}, so nothing below it can be required (found \"{}.{}\")",
                 descriptor.full_name(), made.map ? "a map" : "not a message", descriptor.name(),
                 required.front());
  }
  if (descriptor.message_type() != nullptr) {
    WEIR_TRY(made.message, plan(*descriptor.message_type(), required));
  }
  if (descriptor.enum_type() != nullptr) made.enumeration = enumeration(*descriptor.enum_type());
  return made;
}

const EnumPlan* PlanSet::enumeration(const EnumDescriptor& descriptor) {
  auto& slot = enums_[&descriptor];
  if (slot != nullptr) return slot.get();
  slot = std::make_unique<EnumPlan>();
  slot->descriptor = &descriptor;
  for (int i = 0; i < descriptor.value_count(); ++i) {
    const bool wrong = i == 1 && fault_ == PlanFault::second_enum_value_wrong;
    slot->numbers.emplace(descriptor.value(i)->name(), descriptor.value(wrong ? 0 : i)->number());
  }
  for (int i = 0; i < descriptor.value_count(); ++i) {
    slot->values.push_back(descriptor.value(i)->number());
  }
  std::sort(slot->values.begin(), slot->values.end());
  return slot.get();
}

}  // namespace weir::host
