#include "reload/schema_changes.hpp"

#include <set>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include "resolve/schemas.hpp"

namespace weir::host {

namespace {

namespace pb = google::protobuf;

class Changes {
 public:
  std::vector<std::string> lines;

  void compare(const pb::Descriptor& before, const pb::Descriptor& after) {
    if (!seen_.insert(after.full_name()).second) return;
    for (int i = 0; i < after.field_count(); ++i) {
      const pb::FieldDescriptor& field = *after.field(i);
      const pb::FieldDescriptor* old = before.FindFieldByNumber(field.number());
      if (old == nullptr) {
        lines.push_back(fmt::format("+ {}", text(field)));
        continue;
      }
      if (old->name() != field.name()) {
        lines.push_back(fmt::format("~ {} is renamed to {}", text(*old), field.name()));
      }
      if (old->message_type() != nullptr && field.message_type() != nullptr) {
        compare(*old->message_type(), *field.message_type());
      }
      if (old->enum_type() != nullptr && field.enum_type() != nullptr) {
        compare(*old->enum_type(), *field.enum_type());
      }
    }
    for (int i = 0; i < before.field_count(); ++i) {
      if (after.FindFieldByNumber(before.field(i)->number()) != nullptr) continue;
      lines.push_back(fmt::format("- {}", text(*before.field(i))));
    }
  }

 private:
  static std::string text(const pb::FieldDescriptor& field) {
    return fmt::format("{} (field {}, {}{})", field.full_name(), field.number(),
                       field.is_repeated() ? "repeated " : "", field.type_name());
  }

  void compare(const pb::EnumDescriptor& before, const pb::EnumDescriptor& after) {
    if (!seen_.insert(after.full_name()).second) return;
    for (int i = 0; i < after.value_count(); ++i) {
      if (before.FindValueByNumber(after.value(i)->number()) == nullptr) {
        lines.push_back(fmt::format("+ {}.{}", after.full_name(), after.value(i)->name()));
      }
    }
    for (int i = 0; i < before.value_count(); ++i) {
      if (after.FindValueByNumber(before.value(i)->number()) == nullptr) {
        lines.push_back(fmt::format("- {}.{}", before.full_name(), before.value(i)->name()));
      }
    }
  }

  std::set<std::string> seen_;
};

}  // namespace

std::vector<std::string> state_schema_changes(const PluginFile& before, const PluginFile& after) {
  Changes changes;
  const auto old_schemas = Schemas::parse(before.schemas);
  const auto new_schemas = Schemas::parse(after.schemas);
  if (!old_schemas || !new_schemas) return {};  // no schemas, no State
  for (const Manifest::Resolver& resolver : after.manifest.resolvers) {
    const Manifest::Resolver* old = before.manifest.find(resolver.name);
    if (old == nullptr || old->state_type.empty() || resolver.state_type.empty()) continue;
    const pb::Descriptor* old_type = old_schemas->message(old->state_type);
    const pb::Descriptor* new_type = new_schemas->message(resolver.state_type);
    if (old_type == nullptr || new_type == nullptr) continue;
    changes.compare(*old_type, *new_type);
    if (old->state_version != resolver.state_version) {
      changes.lines.push_back(fmt::format("~ {} is of version {}, was {}", resolver.state_type,
                                          resolver.state_version, old->state_version));
    }
  }
  return std::move(changes.lines);
}

}  // namespace weir::host
