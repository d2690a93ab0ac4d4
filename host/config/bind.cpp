#include "config/bind.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "base/bytes.hpp"
#include "config/scalars.hpp"
#include "config/substitute.hpp"
#include "config/suggest.hpp"
#include "config/values.hpp"
#include "weir/config/v1/options.pb.h"

namespace weir::host {
namespace {

namespace pb = google::protobuf;
using pb::FieldDescriptor;

config::v1::Unit unit_of(const FieldDescriptor& field) {
  return field.options().GetExtension(config::v1::unit);
}

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

/// Without the spaces around each.
std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> out;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view item = text.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    out.emplace_back(item);
    if (comma == text.size()) return out;
    text.remove_prefix(comma + 1);
  }
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

/// EventKind -> EVENT_KIND_, the prefix that Protobuf's style guide gives to enum values.
std::string value_prefix(std::string_view enum_name) {
  std::string out;
  for (const char c : enum_name) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    if (is_upper && !out.empty() && out.back() != '_') out += '_';
    out += c;
  }
  return upper(out) + '_';
}

/// One walk over a tree and a message. Every step reports and goes on.
class Binder {
 public:
  explicit Binder(Binding& binding) : binding_(binding) {}

  void bind(const Node* node, Position key_at, const std::string& path, pb::Message* message) {
    const bool usable = node == nullptr || expect(*node, Node::Kind::map, path, "a map");
    if (!usable) node = nullptr;
    std::vector<const FieldDescriptor*> seen;
    std::vector<std::string_view> meant;  // what unknown keys look like
    if (node != nullptr) {
      for (const Entry& entry : node->entries) bind_entry(entry, path, message, seen, meant);
    }
    const pb::Descriptor& type = *message->GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (std::find(seen.begin(), seen.end(), &field) != seen.end()) continue;
      const bool misspelt = std::find(meant.begin(), meant.end(), field.name()) != meant.end();
      bind_absent(field, misspelt || !usable, node, key_at, path, message);
    }
  }

  void check(const Node& node) {
    if (node.kind == Node::Kind::scalar) (void)expand(node, "");
    for (const Node& item : node.items) check(item);
    for (const Entry& entry : node.entries) check(entry.value);
  }

 private:
  void report(Position at, std::string message, std::string hint = {}) {
    binding_.findings.push_back(make_finding(at, std::move(message), std::move(hint)));
  }

  bool expect(const Node& node, Node::Kind kind, const std::string& path, std::string_view what,
              std::string hint = {}) {
    if (node.kind == kind) return true;
    if (node.kind == Node::Kind::refused) return false;
    const std::string subject = path.empty() ? "the file" : path;
    if (node.kind == Node::Kind::null) {
      if (kind == Node::Kind::map) hint = "write {} for an empty map, or remove the key";
      if (kind == Node::Kind::sequence) hint = "write [] for an empty list, or remove the key";
      if (kind == Node::Kind::scalar) hint = "write a value, or remove the key";
      report(node.at, fmt::format("{}: expected {}, found nothing", subject, what), hint);
    } else {
      report(node.at, fmt::format("{}: expected {}, found {}", subject, what, describe(node.kind)),
             hint);
    }
    return false;
  }

  void bind_entry(const Entry& entry, const std::string& path, pb::Message* message,
                  std::vector<const FieldDescriptor*>& seen, std::vector<std::string_view>& meant) {
    const pb::Descriptor& type = *message->GetDescriptor();
    const FieldDescriptor* field = type.FindFieldByName(entry.key);
    if (field == nullptr) {
      std::vector<std::string> known;
      for (int i = 0; i < type.field_count(); ++i) known.push_back(type.field(i)->name());
      if (const std::string_view near = nearest(entry.key, known); !near.empty()) {
        meant.push_back(type.FindFieldByName(std::string(near))->name());
      }
      const std::string where = path.empty() ? "" : " in " + path;
      report(entry.at, fmt::format("unknown key \"{}\"{}", printable(entry.key), where),
             suggestion(entry.key, known, "known keys"));
      return;
    }
    if (const pb::OneofDescriptor* oneof = field->real_containing_oneof()) {
      for (const FieldDescriptor* other : seen) {
        if (other->real_containing_oneof() != oneof) continue;
        report(entry.at,
               fmt::format("{}: {} and {} exclude each other", path.empty() ? "the file" : path,
                           other->name(), field->name()),
               "keep one of them");
        return;
      }
    }
    seen.push_back(field);
    bind_field(entry.value, entry.at, join(path, entry.key), message, *field);
  }

  /// `excused`: its absence has its reason in another finding.
  void bind_absent(const FieldDescriptor& field, bool excused, const Node* node, Position key_at,
                   const std::string& path, pb::Message* message) {
    const auto& options = field.options();
    if (options.HasExtension(config::v1::default_text)) {
      bind_text(options.GetExtension(config::v1::default_text), {}, join(path, field.name()),
                message, field, Place::single);
      return;
    }
    if (options.GetExtension(config::v1::mandatory) || field.is_required()) {
      if (excused || !binding_.document.complete) return;
      Position at = key_at;
      if (at.line == 0 && node != nullptr) at = node->at;
      report(at, fmt::format("{} has no \"{}\"", path.empty() ? "the file" : path, field.name()),
             fmt::format("add {}: {}", field.name(), example(field)));
      return;
    }
    const bool single_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                                !field.is_repeated() && field.real_containing_oneof() == nullptr;
    if (binding_.fill_messages && single_message) {
      bind(nullptr, key_at, join(path, field.name()),
           message->GetReflection()->MutableMessage(message, &field));
    }
  }

  static std::string example(const FieldDescriptor& field) {
    if (field.is_map()) return "{...}";
    if (field.is_repeated()) return "[...]";
    return "...";
  }

  void bind_field(const Node& node, Position key_at, const std::string& path, pb::Message* message,
                  const FieldDescriptor& field) {
    if (field.options().GetExtension(config::v1::any)) {
      if (node.kind == Node::Kind::null) (void)expect(node, Node::Kind::map, path, "a map");
      check(node);
      return;
    }
    if (field.is_map()) {
      bind_map(node, path, message, field);
    } else if (field.is_repeated()) {
      bind_list(node, path, message, field);
    } else {
      bind_one(node, key_at, path, message, field, Place::single);
    }
    const bool is_empty = field.is_repeated() && node.entries.empty() && node.items.empty() &&
                          (node.kind == Node::Kind::map || node.kind == Node::Kind::sequence);
    if (is_empty && field.options().GetExtension(config::v1::mandatory)) {
      report(node.at, fmt::format("{} is empty; at least one is needed", path));
    }
  }

  void bind_list(const Node& node, const std::string& path, pb::Message* message,
                 const FieldDescriptor& field) {
    if (field.options().GetExtension(config::v1::commas)) {
      return bind_texts(node, path, message, field);
    }
    const std::string hint =
        node.kind == Node::Kind::scalar ? fmt::format("write [{}]", printable(node.text)) : "";
    if (!expect(node, Node::Kind::sequence, path, "a list", hint)) return;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      bind_one(node.items[i], node.items[i].at, join(path, std::to_string(i)), message, field,
               Place::item);
    }
  }

  /// A text or a list of texts, each with any number of items with commas between them.
  void bind_texts(const Node& node, const std::string& path, pb::Message* message,
                  const FieldDescriptor& field) {
    const bool is_text = node.kind == Node::Kind::scalar;
    if (!is_text && !expect(node, Node::Kind::sequence, path, "text or a list")) return;
    const std::span<const Node> texts = is_text ? std::span(&node, 1) : std::span(node.items);
    int index = 0;
    for (const Node& text : texts) {
      const std::string at = is_text ? path : join(path, std::to_string(&text - texts.data()));
      if (!expect(text, Node::Kind::scalar, at, expected_words(field))) continue;
      const auto whole = expand(text, at);
      if (!whole) continue;
      const bool is_secret = binding_.secrets.contains(at);
      for (std::string& item : split_at_commas(*whole)) {
        if (item.empty() && whole->find(',') != whole->npos) {
          report(text.at, fmt::format("{}: a comma has nothing before or behind it", at),
                 "remove the comma");
          continue;
        }
        if (is_secret) binding_.secrets.insert(join(path, std::to_string(index)));
        const Scalar scalar{std::move(item), is_secret};
        report_misfit(is_secret ? text.at : locate(text, scalar.text), at,
                      set_scalar(message, field, Place::item, scalar));
        ++index;
      }
    }
  }

  void bind_map(const Node& node, const std::string& path, pb::Message* message,
                const FieldDescriptor& field) {
    const FieldDescriptor& key_field = *field.message_type()->map_key();
    const FieldDescriptor& value_field = *field.message_type()->map_value();
    const pb::Reflection& reflection = *message->GetReflection();
    const auto& options = field.options();
    if (node.kind == Node::Kind::scalar && options.HasExtension(config::v1::scalar_key)) {
      pb::Message* entry = reflection.AddMessage(message, &field);
      entry->GetReflection()->SetString(entry, &key_field,
                                        options.GetExtension(config::v1::scalar_key));
      bind_one(node, node.at, path, entry, value_field, Place::single);
      return;
    }
    const bool or_text = options.HasExtension(config::v1::scalar_key);
    if (!expect(node, Node::Kind::map, path, or_text ? "text or a map" : "a map")) return;
    for (const Entry& entry : node.entries) {
      if (unit_of(field) == config::v1::NAME) {
        if (const auto fits = check_name(entry.key); !fits) {
          report(entry.at, fmt::format("{}: {}", path, fits.error().message));
          continue;
        }
      }
      pb::Message* added = reflection.AddMessage(message, &field);
      const std::size_t before = binding_.findings.size();
      bind_text(entry.key, entry.at, path, added, key_field, Place::single);
      if (binding_.findings.size() == before) {
        if (has_sensitive_word(field, entry.key)) binding_.secrets.insert(join(path, entry.key));
        bind_one(entry.value, entry.at, join(path, entry.key), added, value_field, Place::single);
      } else {
        reflection.RemoveLast(message, &field);
      }
    }
  }

  /// One value: a message, or a scalar.
  void bind_one(const Node& node, Position key_at, const std::string& path, pb::Message* message,
                const FieldDescriptor& field, Place place) {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!expect(node, Node::Kind::scalar, path, expected_words(field))) return;
      if (const auto text = expand(node, path)) {
        bind_text(*text, node.at, path, message, field, place);
      }
      return;
    }
    const pb::Reflection& reflection = *message->GetReflection();
    const auto child = [&] {
      return place == Place::item ? reflection.AddMessage(message, &field)
                                  : reflection.MutableMessage(message, &field);
    };
    if (field.message_type()->full_name() == "google.protobuf.Value") {
      if (node.kind != Node::Kind::refused) bind_value(node, path, child());
    } else if (field.message_type()->full_name() == "google.protobuf.Struct") {
      bind_struct(node, path, child());
    } else if (field.message_type()->full_name() == "google.protobuf.ListValue") {
      bind_list_value(node, path, child());
    } else if (field.message_type()->full_name() == "google.protobuf.Any") {
      report(node.at, fmt::format("{}: an Any cannot be written in YAML", path),
             "the settings message needs a concrete type here");
    } else if (const auto what = text_form_words(*field.message_type()); !what.empty()) {
      if (!expect(node, Node::Kind::scalar, path, what)) return;
      if (const auto text = expand(node, path)) {
        const Scalar scalar{*text, is_hidden(field, path)};
        report_misfit(node.at, path, set_text_form(child(), scalar));
      }
    } else {
      bind(&node, key_at, path, child());
    }
  }

  /// Substitutes; nothing when that went wrong (and was reported).
  std::optional<std::string> expand(const Node& node, const std::string& path) {
    Substituted result = substitute(node.text, binding_.directory);
    if (result.from_file) binding_.secrets.insert(path);
    for (Substituted::Problem& problem : result.problems) {
      report(locate(node, problem.form),
             path.empty() ? problem.message : fmt::format("{}: {}", path, problem.message),
             std::move(problem.hint));
    }
    if (!result.problems.empty()) return std::nullopt;
    return std::move(result.text);
  }

  /// Where `form` stands in the file, from the scalar's start on; the start when it is written
  /// differently there (escapes).
  Position locate(const Node& node, const std::string& form) const {
    const Document& document = binding_.document;
    std::size_t start = document.line_starts[static_cast<std::size_t>(node.at.line) - 1];
    const std::string& text = document.text;
    for (int left = node.at.column - 1; left > 0 && start < text.size(); ++start) {
      const bool ends = start + 1 >= text.size() ||
                        (static_cast<unsigned char>(text[start + 1]) & 0xC0U) != 0x80U;
      if (ends) --left;
    }
    const std::size_t found = text.find(form, start);
    const std::size_t line_end = text.find('\n', start);
    if (found == text.npos || found >= line_end) return node.at;
    const auto characters =
        std::count_if(text.begin() + static_cast<std::ptrdiff_t>(start),
                      text.begin() + static_cast<std::ptrdiff_t>(found),
                      [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
    return {node.at.line, node.at.column + static_cast<int>(characters)};
  }

  static bool has_sensitive_word(const FieldDescriptor& map, std::string_view key) {
    const auto& options = map.options();
    for (int i = 0; i < options.ExtensionSize(config::v1::sensitive_words); ++i) {
      if (key.find(options.GetExtension(config::v1::sensitive_words, i)) != key.npos) return true;
    }
    return false;
  }

  bool is_hidden(const FieldDescriptor& field, const std::string& path) const {
    return field.options().GetExtension(config::v1::sensitive) || binding_.secrets.contains(path);
  }

  void bind_text(std::string text, Position at, const std::string& path, pb::Message* message,
                 const FieldDescriptor& field, Place place) {
    const Scalar scalar{std::move(text), is_hidden(field, path)};
    report_misfit(at, path, set_scalar(message, field, place, scalar));
  }

  void report_misfit(Position at, const std::string& path, std::optional<Misfit> misfit) {
    if (!misfit) return;
    report(at, fmt::format("{}: {}", path, misfit->message), std::move(misfit->hint));
  }

  /// google.protobuf.Value: the one place where YAML's own types decide, as JSON has them.
  void bind_value(const Node& node, const std::string& path, pb::Message* message) {
    const pb::Descriptor& type = *message->GetDescriptor();
    const pb::Reflection& reflection = *message->GetReflection();
    switch (node.kind) {
      case Node::Kind::null:
        reflection.SetEnumValue(message, type.FindFieldByName("null_value"), 0);
        return;
      case Node::Kind::map:
        return bind_struct(
            node, path, reflection.MutableMessage(message, type.FindFieldByName("struct_value")));
      case Node::Kind::sequence:
        return bind_list_value(
            node, path, reflection.MutableMessage(message, type.FindFieldByName("list_value")));
      case Node::Kind::refused:
        return;
      case Node::Kind::scalar:
        break;
    }
    const auto text = expand(node, path);
    if (!text) return;
    if (node.plain && (*text == "true" || *text == "false")) {
      reflection.SetBool(message, type.FindFieldByName("bool_value"), *text == "true");
      return;
    }
    double number = 0;
    const auto [stop, code] = std::from_chars(text->data(), text->data() + text->size(), number);
    const bool all = code == std::errc{} && stop == text->data() + text->size();
    if (node.plain && all && std::isfinite(number)) {
      reflection.SetDouble(message, type.FindFieldByName("number_value"), number);
    } else {
      reflection.SetString(message, type.FindFieldByName("string_value"), *text);
    }
  }

  void bind_struct(const Node& node, const std::string& path, pb::Message* message) {
    if (!expect(node, Node::Kind::map, path, "a map")) return;
    const FieldDescriptor& fields = *message->GetDescriptor()->FindFieldByName("fields");
    for (const Entry& entry : node.entries) {
      pb::Message* added = message->GetReflection()->AddMessage(message, &fields);
      const pb::Reflection& reflection = *added->GetReflection();
      reflection.SetString(added, fields.message_type()->map_key(), entry.key);
      bind_value(entry.value, join(path, entry.key),
                 reflection.MutableMessage(added, fields.message_type()->map_value()));
    }
  }

  void bind_list_value(const Node& node, const std::string& path, pb::Message* message) {
    if (!expect(node, Node::Kind::sequence, path, "a list")) return;
    const FieldDescriptor& values = *message->GetDescriptor()->FindFieldByName("values");
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      bind_value(node.items[i], join(path, std::to_string(i)),
                 message->GetReflection()->AddMessage(message, &values));
    }
  }

  Binding& binding_;
};

}  // namespace

std::vector<std::string> enum_spellings(const pb::EnumDescriptor& type) {
  const std::string prefix = value_prefix(type.name());
  bool all_prefixed = true;
  for (int i = 0; i < type.value_count(); ++i) {
    const std::string& name = type.value(i)->name();
    all_prefixed &= name.size() > prefix.size() && upper(name).starts_with(prefix);
  }
  std::vector<std::string> out;
  for (int i = 0; i < type.value_count(); ++i) {
    std::string spelling = lower(type.value(i)->name().substr(all_prefixed ? prefix.size() : 0));
    const bool unspecified = type.value(i)->number() == 0 &&
                             (spelling == "unspecified" || spelling.ends_with("_unspecified"));
    out.push_back(unspecified ? "" : std::move(spelling));
  }
  return out;
}

void bind_message(Binding& binding, const Node* node, Position key_at, const std::string& path,
                  pb::Message* message) {
  Binder(binding).bind(node, key_at, path, message);
}

void check_substitutions(Binding& binding, const Node& node) { Binder(binding).check(node); }

}  // namespace weir::host
