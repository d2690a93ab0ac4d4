#include "config/reference.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include "config/bind.hpp"
#include "config/values.hpp"
#include "weir/config/v1/options.pb.h"

namespace weir::host {
namespace {

namespace pb = google::protobuf;
using pb::FieldDescriptor;

constexpr std::string_view introduction = R"(# Configuration

One YAML file describes one app. `weir validate -c app.yaml` reports everything that is wrong with it
in one run; `weir validate -c app.yaml --print-effective` shows it with every default filled in.

<!-- Generated from proto/weir/config/v1/app.proto; a test compares. WEIR_UPDATE=1 writes it anew. -->

## How values are written

| kind | how | notes |
|---|---|---|
| duration | `250ms` `5s` `2m` `1h` `7d` `1h30m` `0` `infinity` | units from large to small, each once; at most `36500d`; `infinity` where no minimum is given |
| size | `512` `64KiB` `16MiB` `1GiB` `1TiB`, `64kB` `1MB` `1GB` `1TB` | bytes; KiB is 1024, kB is 1000 |
| name | `unique-ips` | `a`-`z` first, then `a`-`z` `0`-`9` `_` `-`, at most 63 characters |
| topic | `Orders.v1` | `a`-`z` `A`-`Z` `0`-`9` `.` `_` `-`, at most 249 characters |
| time | `2026-01-31T00:00:00Z` `2026-01-31T01:00:00.5+01:00` | RFC 3339, always with a zone |
| number | `42` | digits only; no `0x`, no leading zero |
| bool | `true` `false` | `yes` and `on` are text |
| text | `anything` | the schema decides: where text is expected, `no` and `1.0` are text |

Inside any value: `${VAR}` is an environment variable, `${VAR:-default}` has a default for when it is
unset or empty, `${file:path}` is a file's content without the newline at its end (the path is relative
to the YAML file, at most 64KiB, never printed), `$$` is a dollar sign. What they bring is text: it is
not read as YAML and not substituted again.

Refused: unknown and duplicate keys, keys without a value, anchors, aliases, `<<`, tags, a second
document, tabs as indentation, more than 32 levels of nesting, files above 1MiB or not in UTF-8.
Relative paths are relative to the YAML file.
)";

/// A comment of the .proto as one paragraph.
std::string paragraph(const std::string& comment) {
  std::string out;
  for (const char c : comment) {
    if (c == '\n' || c == ' ') {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else {
      out += c;
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

template <typename T>
std::string comment_of(const T& descriptor) {
  pb::SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return {};
  std::string out = paragraph(location.leading_comments);
  const std::string trailing = paragraph(location.trailing_comments);
  if (!out.empty() && !trailing.empty()) out += ' ';
  return out + trailing;
}

std::string escaped(std::string text) {
  for (std::size_t at = text.find('|'); at != text.npos; at = text.find('|', at + 2)) {
    text.insert(at, "\\");
  }
  return text;
}

class ReferencePage {
 public:
  explicit ReferencePage(std::string& out) : out_(out) {}

  void add(const pb::Descriptor& type, const std::string& path) {
    out_ += fmt::format("\n## {}\n\n", path.empty() ? "The file" : "`" + path + "`");
    if (const std::string comment = comment_of(type); !comment.empty()) out_ += comment + "\n\n";
    if (type.field_count() == 0) {
      out_ += "Has no settings; write `{}`.\n";
      return;
    }
    out_ += "| key | value | default | meaning |\n|---|---|---|---|\n";
    for (int i = 0; i < type.field_count(); ++i) add_row(*type.field(i));
    for (int i = 0; i < type.oneof_decl_count(); ++i) add_oneof(*type.oneof_decl(i));
    for (int i = 0; i < type.field_count(); ++i) add_enum(*type.field(i));
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const std::string at = path.empty() ? field.name() : path + "." + field.name();
      if (field.is_map()) {
        const FieldDescriptor& value = *field.message_type()->map_value();
        if (value.message_type() != nullptr) add(*value.message_type(), at + ".<name>");
      } else if (field.message_type() != nullptr) {
        add(*field.message_type(), at);
      }
    }
  }

 private:
  void add_row(const FieldDescriptor& field) {
    const auto& options = field.options();
    std::string standard = "none";
    if (options.HasExtension(config::v1::default_text)) {
      standard = "`" + options.GetExtension(config::v1::default_text) + "`";
    } else if (options.GetExtension(config::v1::mandatory)) {
      standard = "**must be given**";
    } else if (field.message_type() != nullptr && !field.is_map() &&
               field.real_containing_oneof() == nullptr) {
      standard = "as below";
    }
    out_ += fmt::format("| `{}` | {} | {} | {} |\n", field.name(), kind(field), standard,
                        escaped(comment_of(field)));
  }

  static std::string kind(const FieldDescriptor& field) {
    const auto& options = field.options();
    if (options.GetExtension(config::v1::any)) return "anything";
    if (field.is_map()) {
      const FieldDescriptor& value = *field.message_type()->map_value();
      if (value.message_type() != nullptr) return "map by name";
      const bool or_one = options.HasExtension(config::v1::scalar_key);
      return or_one ? "text, or a map of texts" : "map of texts";
    }
    std::string out = single_kind(field);
    if (options.GetExtension(config::v1::commas)) {
      out += ", a list of them, or text with commas between them";
    } else if (field.is_repeated()) {
      out = "list of " + out + "s";
    }
    if (options.GetExtension(config::v1::sensitive)) out += ", secret";
    return out + range(field);
  }

  static std::string single_kind(const FieldDescriptor& field) {
    switch (field.options().GetExtension(config::v1::unit)) {
      case config::v1::DURATION:
        return "duration";
      case config::v1::SIZE:
        return "size";
      case config::v1::NAME:
        return "name";
      case config::v1::START:
        return "`earliest`, `latest` or a time";
      case config::v1::LISTEN:
        return "`ADDRESS:PORT`, `unix:PATH` or `off`";
      case config::v1::BROKER:
        return "`HOST:PORT`";
      default:
        break;
    }
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return "text";
      case FieldDescriptor::CPPTYPE_BOOL:
        return "bool";
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return "map";
      case FieldDescriptor::CPPTYPE_ENUM: {
        std::string out;
        for (const std::string& word : enum_spellings(*field.enum_type())) {
          if (!word.empty()) out += (out.empty() ? "`" : ", `") + word + "`";
        }
        return out;
      }
      default:
        return "number";
    }
  }

  static std::string range(const FieldDescriptor& field) {
    const auto& options = field.options();
    const auto words = [&](std::uint64_t value) {
      switch (options.GetExtension(config::v1::unit)) {
        case config::v1::DURATION:
          return format_duration(static_cast<std::int64_t>(value));
        case config::v1::SIZE:
          return format_size(value);
        default:
          return fmt::format("{}", value);
      }
    };
    std::string out;
    if (options.HasExtension(config::v1::min)) {
      out += ", from " + words(options.GetExtension(config::v1::min));
    }
    if (options.HasExtension(config::v1::max)) {
      out += (out.empty() ? ", up to " : " to ") + words(options.GetExtension(config::v1::max));
    }
    return out;
  }

  void add_oneof(const pb::OneofDescriptor& oneof) {
    if (oneof.field_count() < 2 || oneof.is_synthetic()) return;
    std::string names;
    for (int i = 0; i < oneof.field_count(); ++i) {
      names += (names.empty() ? "`" : ", `") + oneof.field(i)->name() + "`";
    }
    out_ += fmt::format("\nExactly one of {}.\n", names);
  }

  /// The words of an enum, where their comments say more than the words do.
  void add_enum(const FieldDescriptor& field) {
    const pb::EnumDescriptor* type = field.enum_type();
    if (type == nullptr || std::find(enums_.begin(), enums_.end(), type) != enums_.end()) return;
    enums_.push_back(type);
    const std::vector<std::string> words = enum_spellings(*type);
    std::string rows;
    for (int i = 0; i < type->value_count(); ++i) {
      const std::string comment = comment_of(*type->value(i));
      const std::string& word = words[static_cast<std::size_t>(i)];
      if (!word.empty() && !comment.empty()) rows += fmt::format("- `{}`: {}\n", word, comment);
    }
    if (!rows.empty())
      out_ += fmt::format("\n`{}` and settings with the same words:\n\n{}", field.name(), rows);
  }

  std::string& out_;
  std::vector<const pb::EnumDescriptor*> enums_;
};

}  // namespace

std::string configuration_reference(const pb::Descriptor& app,
                                    const std::vector<ReferenceExample>& examples) {
  std::string out(introduction);
  for (const ReferenceExample& example : examples) {
    out += fmt::format("\n## {}\n\n```yaml\n{}```\n", example.title, example.yaml);
  }
  ReferencePage(out).add(app, "");
  return out;
}

}  // namespace weir::host
