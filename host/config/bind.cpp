#include "config/bind.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <sodium.h>

#include "base/assert.hpp"
#include "base/bytes.hpp"
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

bool is_sensitive(const FieldDescriptor& field) {
  return field.options().GetExtension(config::v1::sensitive);
}

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
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
                message, field, false);
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
      bind_one(node, key_at, path, message, field, false);
    }
    const bool is_empty = field.is_repeated() && node.entries.empty() && node.items.empty() &&
                          (node.kind == Node::Kind::map || node.kind == Node::Kind::sequence);
    if (is_empty && field.options().GetExtension(config::v1::mandatory)) {
      report(node.at, fmt::format("{} is empty; at least one is needed", path));
    }
  }

  void bind_list(const Node& node, const std::string& path, pb::Message* message,
                 const FieldDescriptor& field) {
    const std::string hint =
        node.kind == Node::Kind::scalar ? fmt::format("write [{}]", printable(node.text)) : "";
    if (!expect(node, Node::Kind::sequence, path, "a list", hint)) return;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      bind_one(node.items[i], node.items[i].at, join(path, std::to_string(i)), message, field,
               true);
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
      bind_one(node, node.at, path, entry, value_field, false);
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
      bind_text(entry.key, entry.at, path, added, key_field, false);
      if (binding_.findings.size() == before) {
        bind_one(entry.value, entry.at, join(path, entry.key), added, value_field, false);
      } else {
        reflection.RemoveLast(message, &field);
      }
    }
  }

  /// One value: a message, or a scalar. `add`: it is an item of a repeated field.
  void bind_one(const Node& node, Position key_at, const std::string& path, pb::Message* message,
                const FieldDescriptor& field, bool add) {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!expect(node, Node::Kind::scalar, path, expected(field))) return;
      if (const auto text = expand(node, path)) {
        bind_text(*text, node.at, path, message, field, add);
      }
      return;
    }
    const pb::Reflection& reflection = *message->GetReflection();
    const auto child = [&] {
      return add ? reflection.AddMessage(message, &field)
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
    } else if (const auto what = text_form(*field.message_type()); !what.empty()) {
      if (!expect(node, Node::Kind::scalar, path, what)) return;
      if (const auto text = expand(node, path)) {
        bind_text_form(*text, node.at, path, child(), field);
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

  /// The value as messages may show it.
  std::string shown(const std::string& text, const std::string& path, bool sensitive) const {
    if (sensitive || binding_.secrets.contains(path)) return "\"***\"";
    return '"' + printable_text(text) + '"';
  }

  /// What a reader of texts says, which quotes the text, unless that is a secret.
  void report_misfit(Position at, const std::string& path, const Error& why,
                     const FieldDescriptor& field, std::string hint = {}) {
    const bool hidden = is_sensitive(field) || binding_.secrets.contains(path);
    report(at,
           hidden ? fmt::format("{}: \"***\" does not fit", path)
                  : fmt::format("{}: {}", path, why.message),
           std::move(hint));
  }

  static std::string printable_text(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 80)) {
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    while (!is_utf8(out)) out.pop_back();
    return text.size() > 80 ? out + "..." : out;
  }

  static std::string_view expected(const FieldDescriptor& field) {
    switch (unit_of(field)) {
      case config::v1::DURATION:
        return "a duration such as 250ms or 1h30m";
      case config::v1::SIZE:
        return "a size such as 64KiB or 16MiB";
      case config::v1::NAME:
        return "a name";
      case config::v1::START:
        return "earliest, latest or a time";
      default:
        break;
    }
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return field.type() == FieldDescriptor::TYPE_BYTES ? "bytes in base64" : "text";
      case FieldDescriptor::CPPTYPE_BOOL:
        return "true or false";
      case FieldDescriptor::CPPTYPE_ENUM:
        return "a word";
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT:
        return "a number";
      default:
        return "a whole number";
    }
  }

  void bind_text(const std::string& text, Position at, const std::string& path,
                 pb::Message* message, const FieldDescriptor& field, bool add) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return bind_string(text, at, path, message, field, add);
      case FieldDescriptor::CPPTYPE_BOOL:
        return bind_bool(text, at, path, message, field, add);
      case FieldDescriptor::CPPTYPE_ENUM:
        return bind_enum(text, at, path, message, field, add);
      case FieldDescriptor::CPPTYPE_INT32:
        return bind_integer<std::int32_t>(text, at, path, message, field, add);
      case FieldDescriptor::CPPTYPE_UINT32:
        return bind_integer<std::uint32_t>(text, at, path, message, field, add);
      case FieldDescriptor::CPPTYPE_INT64:
        return bind_integer<std::int64_t>(text, at, path, message, field, add);
      case FieldDescriptor::CPPTYPE_UINT64:
        return bind_integer<std::uint64_t>(text, at, path, message, field, add);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return bind_number<double>(text, at, path, message, field, add);
      case FieldDescriptor::CPPTYPE_FLOAT:
        return bind_number<float>(text, at, path, message, field, add);
      case FieldDescriptor::CPPTYPE_MESSAGE:
        break;
    }
    WEIR_ASSERT(false, "a message has no text");
  }

  void bind_string(const std::string& text, Position at, const std::string& path,
                   pb::Message* message, const FieldDescriptor& field, bool add) {
    const pb::Reflection& reflection = *message->GetReflection();
    const auto set = [&](std::string value) {
      if (add) {
        reflection.AddString(message, &field, std::move(value));
      } else {
        reflection.SetString(message, &field, std::move(value));
      }
    };
    if (field.type() == FieldDescriptor::TYPE_BYTES) {
      std::string bytes(text.size(), '\0');
      std::size_t size = 0;
      const char* end = nullptr;
      const int bad = sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()),
                                        bytes.size(), text.data(), text.size(), "\n ", &size, &end,
                                        sodium_base64_VARIANT_ORIGINAL);
      if (bad != 0 || end != text.data() + text.size()) {
        return report(
            at, fmt::format("{}: {} is not base64", path, shown(text, path, is_sensitive(field))));
      }
      bytes.resize(size);
      return set(std::move(bytes));
    }
    if (text.empty() && field.options().GetExtension(config::v1::mandatory)) {
      return report(at, fmt::format("{} is empty", path));
    }
    if (unit_of(field) == config::v1::NAME) {
      if (const auto fits = check_name(text); !fits) {
        return report_misfit(at, path, fits.error(), field);
      }
    }
    if (unit_of(field) == config::v1::START && text != "earliest" && text != "latest") {
      const std::vector<std::string> words = {"earliest", "latest"};
      if (const std::string_view meant = nearest(text, words); !meant.empty()) {
        return report(at, fmt::format("{}: \"{}\" is not a start", path, printable(text)),
                      fmt::format("did you mean \"{}\"?", meant));
      }
      if (const auto time = parse_time(text); !time) {
        return report_misfit(at, path, time.error(), field, "or write earliest or latest");
      }
    }
    set(text);
  }

  void bind_bool(const std::string& text, Position at, const std::string& path,
                 pb::Message* message, const FieldDescriptor& field, bool add) {
    if (text != "true" && text != "false") {
      const std::string word = lower(text);
      std::string hint;
      if (word == "yes" || word == "on" || word == "true" || word == "y" || word == "1") {
        hint = "write true";
      } else if (word == "no" || word == "off" || word == "false" || word == "n" || word == "0") {
        hint = "write false";
      }
      return report(
          at,
          fmt::format("{}: {} is not true or false", path, shown(text, path, is_sensitive(field))),
          hint);
    }
    const pb::Reflection& reflection = *message->GetReflection();
    if (add) {
      reflection.AddBool(message, &field, text == "true");
    } else {
      reflection.SetBool(message, &field, text == "true");
    }
  }

  void bind_enum(const std::string& text, Position at, const std::string& path,
                 pb::Message* message, const FieldDescriptor& field, bool add) {
    const std::vector<std::string> spellings = enum_spellings(*field.enum_type());
    std::vector<std::string> known;
    for (std::size_t i = 0; i < spellings.size(); ++i) {
      if (spellings[i].empty()) continue;
      known.push_back(spellings[i]);
      if (spellings[i] != text) continue;
      const pb::EnumValueDescriptor* value = field.enum_type()->value(static_cast<int>(i));
      if (add) {
        message->GetReflection()->AddEnum(message, &field, value);
      } else {
        message->GetReflection()->SetEnum(message, &field, value);
      }
      return;
    }
    const std::string_view meant = nearest(text, known);
    report(at,
           fmt::format("{}: {} is not one of {}", path, shown(text, path, is_sensitive(field)),
                       fmt::join(known, ", ")),
           meant.empty() ? "" : fmt::format("did you mean \"{}\"?", meant));
  }

  template <typename T>
  void set_number(pb::Message* message, const FieldDescriptor& field, bool add, T value) {
    const pb::Reflection& r = *message->GetReflection();
    if constexpr (std::is_same_v<T, std::int32_t>) {
      add ? r.AddInt32(message, &field, value) : r.SetInt32(message, &field, value);
    } else if constexpr (std::is_same_v<T, std::uint32_t>) {
      add ? r.AddUInt32(message, &field, value) : r.SetUInt32(message, &field, value);
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
      add ? r.AddInt64(message, &field, value) : r.SetInt64(message, &field, value);
    } else if constexpr (std::is_same_v<T, std::uint64_t>) {
      add ? r.AddUInt64(message, &field, value) : r.SetUInt64(message, &field, value);
    } else if constexpr (std::is_same_v<T, float>) {
      add ? r.AddFloat(message, &field, value) : r.SetFloat(message, &field, value);
    } else {
      add ? r.AddDouble(message, &field, value) : r.SetDouble(message, &field, value);
    }
  }

  /// A bound of the field's options, or of its type, as one writes it.
  static std::string bound(const FieldDescriptor& field, std::uint64_t value) {
    if (unit_of(field) == config::v1::DURATION) {
      return format_duration(static_cast<std::int64_t>(value));
    }
    if (unit_of(field) == config::v1::SIZE) return format_size(value);
    return fmt::format("{}", value);
  }

  template <typename T>
  void bind_integer(const std::string& text, Position at, const std::string& path,
                    pb::Message* message, const FieldDescriptor& field, bool add) {
    T value{};
    const bool has_unit =
        unit_of(field) == config::v1::DURATION || unit_of(field) == config::v1::SIZE;
    if (has_unit ? !read_with_unit(text, at, path, field, value)
                 : !read_integer(text, at, path, field, value)) {
      return;
    }
    const auto& options = field.options();
    const bool has_min = options.HasExtension(config::v1::min);
    const bool has_max = options.HasExtension(config::v1::max);
    const std::uint64_t min = options.GetExtension(config::v1::min);
    const std::uint64_t max = options.GetExtension(config::v1::max);
    const bool below = has_min && (std::cmp_less(value, min));
    const bool above = has_max && (std::cmp_greater(value, max));
    if (below || above) {
      std::string range;
      if (has_min && has_max) {
        range = fmt::format("outside {} to {}", bound(field, min), bound(field, max));
      } else if (has_min) {
        range = fmt::format("below {}", bound(field, min));
      } else {
        range = fmt::format("above {}", bound(field, max));
      }
      const bool endless = unit_of(field) == config::v1::DURATION && text == "infinity";
      if (endless) range = "not possible here; write a length of time";
      return report(
          at, fmt::format("{}: {} is {}", path, shown(text, path, is_sensitive(field)), range));
    }
    set_number(message, field, add, value);
  }

  template <typename T>
  bool read_with_unit(const std::string& text, Position at, const std::string& path,
                      const FieldDescriptor& field, T& value) {
    const auto take = [&](const auto& parsed) {
      if (!parsed) {
        report_misfit(at, path, parsed.error(), field);
        return false;
      }
      if (!std::in_range<T>(*parsed)) {
        report(at, fmt::format("{}: {} is too large", path, shown(text, path, false)));
        return false;
      }
      value = static_cast<T>(*parsed);
      return true;
    };
    return unit_of(field) == config::v1::DURATION ? take(parse_duration(text))
                                                  : take(parse_size(text));
  }

  template <typename T>
  bool read_integer(const std::string& text, Position at, const std::string& path,
                    const FieldDescriptor& field, T& value) {
    const std::string what = shown(text, path, is_sensitive(field));
    const char* const end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, value);
    if (code == std::errc::result_out_of_range && stop == end) {
      report(at, fmt::format("{}: {} is outside {} to {}", path, what,
                             std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
      return false;
    }
    if (code != std::errc{} || stop != end) {
      std::string hint = "write digits only";
      if (text.starts_with('-') && std::is_unsigned_v<T>) hint = "it cannot be negative";
      report(at, fmt::format("{}: {} is not a whole number", path, what), hint);
      return false;
    }
    // Other readers of YAML take 010 for 8.
    const std::string_view number = std::string_view(text).substr(text.starts_with('-') ? 1 : 0);
    if (number.size() > 1 && number.front() == '0') {
      report(at, fmt::format("{}: {} starts with a zero", path, what),
             fmt::format("write {}", value));
      return false;
    }
    return true;
  }

  template <typename T>
  void bind_number(const std::string& text, Position at, const std::string& path,
                   pb::Message* message, const FieldDescriptor& field, bool add) {
    T value{};
    const char* const end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, value);
    const std::string what = shown(text, path, is_sensitive(field));
    if (code == std::errc::result_out_of_range && stop == end) {
      return report(at, fmt::format("{}: {} does not fit the number's type", path, what));
    }
    if (code != std::errc{} || stop != end || !std::isfinite(value)) {
      return report(at, fmt::format("{}: {} is not a number", path, what),
                    "write digits, such as 0.25, -3 or 1e6");
    }
    set_number(message, field, add, value);
  }

  /// What a well-known type that is one text expects; empty for other messages.
  static std::string_view text_form(const pb::Descriptor& type) {
    const std::string& name = type.full_name();
    if (name == "google.protobuf.Timestamp") return "a time such as 2026-01-31T00:00:00Z";
    if (name == "google.protobuf.Duration") return "a duration such as 250ms or 1h30m";
    if (name == "google.protobuf.FieldMask") return "field paths with commas between them";
    if (type.file()->name() == "google/protobuf/wrappers.proto") {
      return expected(*type.FindFieldByName("value"));
    }
    return {};
  }

  void bind_text_form(const std::string& text, Position at, const std::string& path,
                      pb::Message* message, const FieldDescriptor& field) {
    const pb::Descriptor& type = *message->GetDescriptor();
    const pb::Reflection& reflection = *message->GetReflection();
    const auto set = [&](std::int64_t seconds, std::int32_t nanos) {
      reflection.SetInt64(message, type.FindFieldByName("seconds"), seconds);
      reflection.SetInt32(message, type.FindFieldByName("nanos"), nanos);
    };
    if (type.full_name() == "google.protobuf.Timestamp") {
      const auto time = parse_time(text);
      if (!time) return report_misfit(at, path, time.error(), field);
      set(time->seconds, time->nanos);
    } else if (type.full_name() == "google.protobuf.Duration") {
      const auto ms = parse_duration(text);
      if (!ms) return report_misfit(at, path, ms.error(), field);
      if (*ms == duration_infinity) {
        return report(at, fmt::format("{}: infinity is not possible here", path),
                      "the settings message has a Duration, which ends");
      }
      set(*ms / 1000, static_cast<std::int32_t>(*ms % 1000) * 1'000'000);
    } else if (type.full_name() == "google.protobuf.FieldMask") {
      for (std::size_t start = 0; start <= text.size() && !text.empty();) {
        const std::size_t comma = std::min(text.find(',', start), text.size());
        reflection.AddString(message, type.FindFieldByName("paths"),
                             text.substr(start, comma - start));
        start = comma + 1;
      }
    } else {
      bind_text(text, at, path, message, *type.FindFieldByName("value"), false);
    }
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
