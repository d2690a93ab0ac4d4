#include "commit/schema_check.hpp"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <bit>
#include <set>
#include <utility>

namespace weir::host {
namespace {

namespace pb = google::protobuf;

bool reserved_or_extension(const pb::Descriptor& message, int number) {
  return message.IsReservedNumber(number) || message.IsExtensionNumber(number);
}

bool proto2(const pb::FieldDescriptor& field) {
  return field.file()->syntax() == pb::FileDescriptor::SYNTAX_PROTO2;
}

std::string value_type(const pb::FieldDescriptor& field) {
  switch (field.type()) {
    case pb::FieldDescriptor::TYPE_MESSAGE:
      return field.message_type()->full_name();
    case pb::FieldDescriptor::TYPE_GROUP:
      return "group " + field.message_type()->full_name();
    case pb::FieldDescriptor::TYPE_ENUM:
      return "enum " + field.enum_type()->full_name();
    default:
      return field.type_name();
  }
}

std::string written(const pb::FieldDescriptor& field) {
  if (field.is_map()) {
    return fmt::format("map<{}, {}>", value_type(*field.message_type()->map_key()),
                       value_type(*field.message_type()->map_value()));
  }
  if (field.is_required()) return "required " + value_type(field);
  return field.is_repeated() ? "repeated " + value_type(field) : value_type(field);
}

bool same_default(const pb::FieldDescriptor& a, const pb::FieldDescriptor& b) {
  switch (a.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return a.default_value_int32() == b.default_value_int32();
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return a.default_value_int64() == b.default_value_int64();
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      return a.default_value_uint32() == b.default_value_uint32();
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      return a.default_value_uint64() == b.default_value_uint64();
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
      return std::bit_cast<std::uint32_t>(a.default_value_float()) ==
             std::bit_cast<std::uint32_t>(b.default_value_float());
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return std::bit_cast<std::uint64_t>(a.default_value_double()) ==
             std::bit_cast<std::uint64_t>(b.default_value_double());
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return a.default_value_bool() == b.default_value_bool();
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return a.default_value_enum()->number() == b.default_value_enum()->number();
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return a.default_value_string() == b.default_value_string();
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      return true;
  }
  return true;
}

class Comparison {
 public:
  std::vector<std::string> findings;

  void compare_roots(const pb::Descriptor& before, const pb::Descriptor& now) {
    if (before.full_name() != now.full_name()) {
      findings.push_back(fmt::format(
          "the State type was {}, is {}; keep the type's name and package, or give the resolver a "
          "new name in the app's YAML (it then starts with no State)",
          before.full_name(), now.full_name()));
      return;
    }
    compare(before, now);
  }

 private:
  void compare(const pb::Descriptor& before, const pb::Descriptor& now) {
    if (!seen_messages_.insert({&before, &now}).second) return;
    for (int i = 0; i < before.field_count(); ++i) {
      const pb::FieldDescriptor& old_field = *before.field(i);
      const pb::FieldDescriptor* new_field = now.FindFieldByNumber(old_field.number());
      if (new_field == nullptr) {
        removed(old_field, now);
      } else {
        kept(old_field, *new_field);
      }
    }
    for (int i = 0; i < now.field_count(); ++i) {
      if (before.FindFieldByNumber(now.field(i)->number()) == nullptr) added(*now.field(i), before);
    }
    compare_oneofs(before, now);
  }

  static std::string name(const pb::FieldDescriptor& field) {
    return fmt::format("{} (field {})", field.full_name(), field.number());
  }

  void removed(const pb::FieldDescriptor& field, const pb::Descriptor& now) {
    if (field.is_required()) {
      findings.push_back(
          fmt::format("{} was required, is gone: earlier code refuses States without it; keep it",
                      name(field)));
    } else if (!now.IsReservedNumber(field.number())) {
      findings.push_back(fmt::format(
          "{} was {}, is gone and its number is free for something else; add `reserved {};` to {}",
          name(field), written(field), field.number(), now.full_name()));
    }
  }

  void added(const pb::FieldDescriptor& field, const pb::Descriptor& before) {
    if (reserved_or_extension(before, field.number())) {
      findings.push_back(fmt::format(
          "{} uses a number that was {}; give the field a number that was never used", name(field),
          before.IsReservedNumber(field.number()) ? "reserved" : "an extension's"));
    } else if (field.is_required()) {
      findings.push_back(
          fmt::format("{} is new and required: States of before do not have it; make it optional",
                      name(field)));
    }
  }

  void kept(const pb::FieldDescriptor& before, const pb::FieldDescriptor& now) {
    if (moved(before, now)) return;
    if (before.type() != now.type() || before.is_map() != now.is_map() ||
        before.is_repeated() != now.is_repeated() || before.is_required() != now.is_required()) {
      findings.push_back(
          fmt::format("{} was {}, is {}; keep what it was and add the new one under a new number",
                      name(before), written(before), written(now)));
      return;
    }
    if (before.is_map()) {
      const pb::FieldDescriptor& old_key = *before.message_type()->map_key();
      const pb::FieldDescriptor& new_key = *now.message_type()->map_key();
      const pb::FieldDescriptor& old_value = *before.message_type()->map_value();
      const pb::FieldDescriptor& new_value = *now.message_type()->map_value();
      if (old_key.type() != new_key.type() || old_value.type() != new_value.type()) {
        findings.push_back(
            fmt::format("{} was {}, is {}; keep what it was and add the new one under a new number",
                        name(before), written(before), written(now)));
        return;
      }
      contents(old_value, new_value);
      if (old_key.type() == pb::FieldDescriptor::TYPE_STRING) syntax(old_key, new_key);
      return;
    }
    contents(before, now);
  }

  // What the type of a kept field refers to, and how its values are read.
  void contents(const pb::FieldDescriptor& before, const pb::FieldDescriptor& now) {
    if (before.message_type() != nullptr) {
      compare(*before.message_type(), *now.message_type());
      return;
    }
    if (before.enum_type() != nullptr) compare_enums(before, now);
    if (before.enum_type() != nullptr || before.type() == pb::FieldDescriptor::TYPE_STRING) {
      syntax(before, now);
    }
    if (!before.is_repeated() && !same_default(before, now)) {
      findings.push_back(fmt::format(
          "{} has another default value than before: a State without the field would "
          "change its meaning; keep the default {}",
          name(before), before.DebugString().substr(0, before.DebugString().find('\n'))));
    }
  }

  // The same name under another number that was in use already: two fields changed places.
  bool moved(const pb::FieldDescriptor& before, const pb::FieldDescriptor& now) {
    if (before.name() == now.name()) return false;
    const pb::FieldDescriptor* elsewhere = before.containing_type()->FindFieldByName(now.name());
    if (elsewhere == nullptr) return false;
    findings.push_back(fmt::format(
        "{} holds what was field {}: the number means something else now; give {} back its number "
        "{}",
        name(now), elsewhere->number(), now.name(), elsewhere->number()));
    return true;
  }

  // proto2 keeps strings that are no UTF-8 and sets unknown enum values aside; proto3 does not.
  void syntax(const pb::FieldDescriptor& before, const pb::FieldDescriptor& now) {
    if (proto2(before) == proto2(now)) return;
    findings.push_back(fmt::format(
        "{} was {}, is {}: {} are read differently there; keep the file's syntax", name(before),
        proto2(before) ? "proto2" : "proto3", proto2(now) ? "proto2" : "proto3",
        before.enum_type() != nullptr ? "enums" : "strings"));
  }

  void compare_enums(const pb::FieldDescriptor& field_before,
                     const pb::FieldDescriptor& field_now) {
    const pb::EnumDescriptor& before = *field_before.enum_type();
    const pb::EnumDescriptor& now = *field_now.enum_type();
    const bool closed = proto2(field_before) || proto2(field_now);
    if (!seen_enums_.insert({{&before, &now}, closed}).second) return;
    for (int i = 0; i < before.value_count(); ++i) {
      const pb::EnumValueDescriptor& value = *before.value(i);
      const pb::EnumValueDescriptor* by_name = now.FindValueByName(value.name());
      const std::string text =
          fmt::format("{}.{} (value {})", before.full_name(), value.name(), value.number());
      if (by_name != nullptr && by_name->number() != value.number()) {
        findings.push_back(
            fmt::format("{} is {} now; give it back its number", text, by_name->number()));
      } else if (now.FindValueByNumber(value.number()) == nullptr) {
        if (closed) {
          findings.push_back(fmt::format(
              "{} is gone: a proto2 field sets the value aside, and it comes back over what was "
              "written since; keep it",
              text));
        } else if (!now.IsReservedNumber(value.number())) {
          findings.push_back(fmt::format(
              "{} is gone and its number is free for something else; add `reserved {};` to {}",
              text, value.number(), now.full_name()));
        }
      }
    }
    for (int i = 0; i < now.value_count(); ++i) {
      const pb::EnumValueDescriptor& value = *now.value(i);
      if (before.FindValueByNumber(value.number()) != nullptr) continue;
      const std::string text =
          fmt::format("{}.{} (value {})", now.full_name(), value.name(), value.number());
      if (before.IsReservedNumber(value.number())) {
        findings.push_back(fmt::format(
            "{} uses a number that was reserved; give it a number that was never used", text));
      } else if (closed && before.FindValueByName(value.name()) == nullptr) {
        findings.push_back(fmt::format(
            "{} is new in an enum of a proto2 field: earlier code sets it aside, and it comes back "
            "over what that code writes; add a new field for it",
            text));
      }
    }
  }

  // Code that does not know a member keeps it aside and writes it after the member that it sets
  // itself; of two members the last one counts, so the old value would win over the newer one.
  void compare_oneofs(const pb::Descriptor& before, const pb::Descriptor& now) {
    for (int i = 0; i < before.field_count(); ++i) {
      const pb::FieldDescriptor& old_field = *before.field(i);
      const pb::OneofDescriptor* old_oneof = old_field.real_containing_oneof();
      const pb::FieldDescriptor* new_field = now.FindFieldByNumber(old_field.number());
      if (new_field == nullptr) {
        const pb::OneofDescriptor* rest =
            old_oneof == nullptr ? nullptr : survivor(*old_oneof, now);
        if (rest != nullptr && now.IsReservedNumber(old_field.number())) {
          findings.push_back(fmt::format(
              "{} left the oneof {}, which has other members: a value of before would come back "
              "over what was written since; keep the field",
              name(old_field), rest->name()));
        }
        continue;
      }
      const pb::OneofDescriptor* new_oneof = new_field->real_containing_oneof();
      if ((old_oneof == nullptr) != (new_oneof == nullptr)) {
        findings.push_back(fmt::format("{} was {} a oneof, is {} one now; leave it where it was",
                                       name(old_field), old_oneof == nullptr ? "outside" : "inside",
                                       new_oneof == nullptr ? "outside" : "inside"));
      } else if (old_oneof != nullptr && (survivor(*old_oneof, now) != new_oneof ||
                                          survivor(*new_oneof, before) != old_oneof)) {
        findings.push_back(fmt::format("{} was in the oneof {}, is in {}; leave it where it was",
                                       name(old_field), old_oneof->name(), new_oneof->name()));
      }
    }
    for (int i = 0; i < now.field_count(); ++i) {
      const pb::FieldDescriptor& field = *now.field(i);
      const pb::OneofDescriptor* oneof = field.real_containing_oneof();
      if (oneof == nullptr || before.FindFieldByNumber(field.number()) != nullptr) continue;
      if (const pb::OneofDescriptor* known = survivor(*oneof, before); known != nullptr) {
        findings.push_back(fmt::format(
            "{} is new in the oneof {}, which States of before use: after a rollback its value "
            "would come back over what earlier code writes; put it outside the oneof, or into a "
            "new one",
            name(field), oneof->name()));
      }
    }
  }

  // The oneof of `other` that holds the first member of `oneof` which is in a oneof there.
  static const pb::OneofDescriptor* survivor(const pb::OneofDescriptor& oneof,
                                             const pb::Descriptor& other) {
    for (int i = 0; i < oneof.field_count(); ++i) {
      const pb::FieldDescriptor* field = other.FindFieldByNumber(oneof.field(i)->number());
      if (field != nullptr && field->real_containing_oneof() != nullptr) {
        return field->real_containing_oneof();
      }
    }
    return nullptr;
  }

  std::set<std::pair<const pb::Descriptor*, const pb::Descriptor*>> seen_messages_;
  std::set<std::pair<std::pair<const pb::EnumDescriptor*, const pb::EnumDescriptor*>, bool>>
      seen_enums_;
};

}  // namespace

std::vector<std::string> state_schema_conflicts(const pb::Descriptor& before,
                                                const pb::Descriptor& now) {
  Comparison comparison;
  comparison.compare_roots(before, now);
  return std::move(comparison.findings);
}

}  // namespace weir::host
