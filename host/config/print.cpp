#include "config/print.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "base/assert.hpp"
#include "config/bind.hpp"
#include "config/substitute.hpp"
#include "config/values.hpp"
#include "weir/config/v1/options.pb.h"

namespace weir::host {
namespace {

namespace pb = google::protobuf;
using pb::FieldDescriptor;

/// Double quotes and JSON's escapes unless every reader of YAML takes the bare word for text.
std::string yaml_text(std::string_view text) {
  const auto harmless = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '/';
  };
  const bool starts_as_word =
      !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z') ||
                        (text[0] >= '0' && text[0] <= '9'));
  static const std::vector<std::string> words = {"null", "Null", "NULL", "true", "false",
                                                 "yes",  "no",   "on",   "off"};
  const bool bare = starts_as_word && std::all_of(text.begin(), text.end(), harmless) &&
                    std::find(words.begin(), words.end(), text) == words.end();
  if (bare) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

class Printer {
 public:
  Printer(const Node& root, const std::set<std::string>& secrets)
      : root_(root), secrets_(secrets) {}

  std::string run(const pb::Message& message) {
    print(message, &root_, "", 0);
    return std::move(out_);
  }

 private:
  void line(int depth, std::string_view text) {
    out_ += fmt::format("{:{}}{}\n", "", depth * 2, text);
  }

  static std::string join(const std::string& path, std::string_view key) {
    return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
  }

  /// `node`: what the file says there, or null.
  void print(const pb::Message& message, const Node* node, const std::string& path, int depth) {
    const pb::Descriptor& type = *message.GetDescriptor();
    const pb::Reflection& reflection = *message.GetReflection();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const Node* child = node == nullptr ? nullptr : node->find(field.name());
      if (field.options().GetExtension(config::v1::any)) {
        if (child != nullptr) print_node(field.name(), *child, join(path, field.name()), depth);
      } else if (field.is_map()) {
        print_map(message, field, child, join(path, field.name()), depth);
      } else if (field.is_repeated()) {
        print_list(message, field, join(path, field.name()), depth);
      } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        if (!reflection.HasField(message, &field)) continue;
        print_message(field.name(), reflection.GetMessage(message, &field), child,
                      join(path, field.name()), depth);
      } else if (has_value(message, field)) {
        const std::string text = scalar(message, field, -1, join(path, field.name()));
        line(depth, fmt::format("{}: {}", field.name(), text));
      }
    }
  }

  /// Proto3 does not tell zero from absent: zero is printed where the YAML could have said it.
  static bool has_value(const pb::Message& message, const FieldDescriptor& field) {
    if (message.GetReflection()->HasField(message, &field)) return true;
    const auto& options = field.options();
    const bool has_default = options.HasExtension(config::v1::default_text);
    if (!has_default || field.real_containing_oneof() != nullptr) return false;
    if (options.GetExtension(config::v1::min) > 0) return false;
    return field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM ||
           !enum_spellings(*field.enum_type())[0].empty();
  }

  void print_message(std::string_view key, const pb::Message& message, const Node* node,
                     const std::string& path, int depth) {
    const std::size_t before = out_.size();
    line(depth, fmt::format("{}:", key));
    const std::size_t empty = out_.size();
    print(message, node, path, depth + 1);
    if (out_.size() != empty) return;
    out_.resize(before);
    line(depth, fmt::format("{}: {{}}", key));
  }

  void print_map(const pb::Message& message, const FieldDescriptor& field, const Node* node,
                 const std::string& path, int depth) {
    const pb::Reflection& reflection = *message.GetReflection();
    std::vector<const pb::Message*> entries;
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      entries.push_back(&reflection.GetRepeatedMessage(message, &field, i));
    }
    if (entries.empty()) return;
    const FieldDescriptor& key_field = *field.message_type()->map_key();
    const FieldDescriptor& value_field = *field.message_type()->map_value();
    std::string scratch;
    const auto key_of = [&](const pb::Message& entry) {
      return entry.GetReflection()->GetStringReference(entry, &key_field, &scratch);
    };
    WEIR_ASSERT(key_field.cpp_type() == FieldDescriptor::CPPTYPE_STRING, "keys are texts");
    const auto& options = field.options();
    if (entries.size() == 1 && options.HasExtension(config::v1::scalar_key) &&
        key_of(*entries[0]) == options.GetExtension(config::v1::scalar_key)) {
      line(depth, fmt::format("{}: {}", field.name(), scalar(*entries[0], value_field, -1, path)));
      return;
    }
    std::sort(entries.begin(), entries.end(), [&](const pb::Message* a, const pb::Message* b) {
      return std::string(key_of(*a)) < key_of(*b);
    });
    line(depth, fmt::format("{}:", field.name()));
    const bool hidden = options.GetExtension(config::v1::sensitive);
    for (const pb::Message* entry : entries) {
      const std::string key = key_of(*entry);
      const Node* child = node == nullptr ? nullptr : node->find(key);
      if (value_field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        print_message(yaml_text(key), entry->GetReflection()->GetMessage(*entry, &value_field),
                      child, join(path, key), depth + 1);
      } else {
        const std::string text =
            hidden ? "\"***\"" : scalar(*entry, value_field, -1, join(path, key));
        line(depth + 1, fmt::format("{}: {}", yaml_text(key), text));
      }
    }
  }

  void print_list(const pb::Message& message, const FieldDescriptor& field, const std::string& path,
                  int depth) {
    const int size = message.GetReflection()->FieldSize(message, &field);
    if (size == 0) return;
    WEIR_ASSERT(field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE,
                "lists of messages are not in an app's schema");
    std::vector<std::string> items;
    for (int i = 0; i < size; ++i) {
      items.push_back(scalar(message, field, i, join(path, std::to_string(i))));
    }
    line(depth, fmt::format("{}: [{}]", field.name(), fmt::join(items, ", ")));
  }

  /// The value, or item `index` when it is not negative.
  std::string scalar(const pb::Message& message, const FieldDescriptor& field, int index,
                     const std::string& path) {
    if (field.options().GetExtension(config::v1::sensitive) || secrets_.contains(path)) {
      return "\"***\"";
    }
    const pb::Reflection& r = *message.GetReflection();
    const bool item = index >= 0;
    const auto unit = field.options().GetExtension(config::v1::unit);
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string scratch;
        return yaml_text(without_substitution(
            item ? r.GetRepeatedStringReference(message, &field, index, &scratch)
                 : r.GetStringReference(message, &field, &scratch)));
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        return (item ? r.GetRepeatedBool(message, &field, index) : r.GetBool(message, &field))
                   ? "true"
                   : "false";
      case FieldDescriptor::CPPTYPE_ENUM: {
        const pb::EnumValueDescriptor* value =
            item ? r.GetRepeatedEnum(message, &field, index) : r.GetEnum(message, &field);
        return enum_spellings(*field.enum_type())[static_cast<std::size_t>(value->index())];
      }
      case FieldDescriptor::CPPTYPE_INT32:
        return fmt::format(
            "{}", item ? r.GetRepeatedInt32(message, &field, index) : r.GetInt32(message, &field));
      case FieldDescriptor::CPPTYPE_UINT32:
        return fmt::format("{}", item ? r.GetRepeatedUInt32(message, &field, index)
                                      : r.GetUInt32(message, &field));
      case FieldDescriptor::CPPTYPE_INT64: {
        const std::int64_t value =
            item ? r.GetRepeatedInt64(message, &field, index) : r.GetInt64(message, &field);
        return unit == config::v1::DURATION ? format_duration(value) : fmt::format("{}", value);
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        const std::uint64_t value =
            item ? r.GetRepeatedUInt64(message, &field, index) : r.GetUInt64(message, &field);
        return unit == config::v1::SIZE ? format_size(value) : fmt::format("{}", value);
      }
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return fmt::format("{}", item ? r.GetRepeatedDouble(message, &field, index)
                                      : r.GetDouble(message, &field));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return fmt::format(
            "{}", item ? r.GetRepeatedFloat(message, &field, index) : r.GetFloat(message, &field));
      case FieldDescriptor::CPPTYPE_MESSAGE:
        break;
    }
    WEIR_ASSERT(false, "a message is not a scalar");
  }

  /// A node as it was written: references to the environment and to files stay references.
  void print_node(std::string_view key, const Node& node, const std::string& path, int depth) {
    if (node.kind == Node::Kind::map && !node.entries.empty()) {
      line(depth, fmt::format("{}:", key));
      for (const Entry& entry : node.entries) {
        print_node(yaml_text(entry.key), entry.value, join(path, entry.key), depth + 1);
      }
    } else if (node.kind == Node::Kind::sequence && !node.items.empty()) {
      line(depth, fmt::format("{}:", key));
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        print_item(node.items[i], join(path, std::to_string(i)), depth + 1);
      }
    } else {
      line(depth, fmt::format("{}: {}", key, leaf(node, path)));
    }
  }

  void print_item(const Node& node, const std::string& path, int depth) {
    if (node.entries.empty() && node.items.empty()) {
      line(depth, "- " + leaf(node, path));
      return;
    }
    line(depth, "-");
    for (const Entry& entry : node.entries) {
      print_node(yaml_text(entry.key), entry.value, join(path, entry.key), depth + 1);
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      print_item(node.items[i], join(path, std::to_string(i)), depth + 1);
    }
  }

  std::string leaf(const Node& node, const std::string& path) const {
    switch (node.kind) {
      case Node::Kind::map:
        return "{}";
      case Node::Kind::sequence:
        return "[]";
      case Node::Kind::scalar:
        if (secrets_.contains(path) && node.text.find("${") == node.text.npos) return "\"***\"";
        // Plain stays plain: for a google.protobuf.Value the quotes make the type.
        if (node.plain && node.text.find_first_of(":#{}[],&*!|>'\"%@`\\\n ") == node.text.npos) {
          return node.text;
        }
        return fmt::format("\"{}\"", escaped(node.text));
      default:
        return "null";
    }
  }

  static std::string escaped(std::string_view text) {
    std::string out = yaml_text(std::string(" ") + std::string(text));  // never bare
    return out.substr(2, out.size() - 3);
  }

  const Node& root_;
  const std::set<std::string>& secrets_;
  std::string out_;
};

}  // namespace

std::string print_yaml(const pb::Message& message, const Node& root,
                       const std::set<std::string>& secrets) {
  return Printer(root, secrets).run(message);
}

}  // namespace weir::host
