#include "decode/json_report.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include "base/bytes.hpp"

namespace weir::host {
namespace {

std::string_view expected_kind(FieldKind kind) {
  switch (kind) {
    case FieldKind::int32:
    case FieldKind::sint32:
    case FieldKind::sfixed32:
      return "an integer from -2147483648 to 2147483647";
    case FieldKind::uint32:
    case FieldKind::fixed32:
      return "an integer from 0 to 4294967295";
    case FieldKind::int64:
    case FieldKind::sint64:
    case FieldKind::sfixed64:
      return "an integer from -9223372036854775808 to 9223372036854775807";
    case FieldKind::uint64:
    case FieldKind::fixed64:
      return "an integer from 0 to 18446744073709551615";
    case FieldKind::single_float:
      return "a number in the range of float, or \"NaN\", \"Infinity\" or \"-Infinity\"";
    case FieldKind::double_float:
      return "a number in the range of double, or \"NaN\", \"Infinity\" or \"-Infinity\"";
    case FieldKind::boolean:
      return "true or false";
    case FieldKind::null_value:
      return "null";
    case FieldKind::string:
      return "a string";
    case FieldKind::bytes:
      return "a string of base64";
    case FieldKind::timestamp:
      return "a time such as \"2024-01-31T12:00:00.5Z\"";
    case FieldKind::duration:
      return "a duration in seconds such as \"1.5s\"";
    case FieldKind::list_value:
      return "a list";
    case FieldKind::any_value:
      return "a JSON value";
    case FieldKind::structure:
      return "an object";
    case FieldKind::field_mask:
      return "field paths such as \"user.displayName,photo\"";
    default:
      return "";
  }
}

/// Edits (insert, delete, replace) between two words, ignoring case and underscores.
std::size_t distance(std::string_view a, std::string_view b) {
  const auto plain = [](std::string_view word) {
    std::string out;
    for (const char c : word) {
      if (c != '_') out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
  };
  const std::string left = plain(a);
  const std::string right = plain(b);
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// The nearest of many names, kept while they are looked at one by one.
class Nearest {
 public:
  explicit Nearest(std::string_view wanted) : wanted_(wanted) {}

  void consider(std::string_view name) {
    if (wanted_.size() > name_bytes_max || name.size() > name_bytes_max) return;
    const std::size_t edits = distance(wanted_, name);
    if (edits < best_) {
      best_ = edits;
      name_ = name;
    }
  }
  std::string text() const {
    return name_.empty() ? "" : fmt::format("; did you mean \"{}\"?", name_);
  }

 private:
  static constexpr std::size_t name_bytes_max = 64;
  std::string_view wanted_;
  std::string_view name_;
  std::size_t best_ = std::min<std::size_t>(2, wanted_.size() / 3) + 1;
};

}  // namespace

std::string expected_value(const FieldPlan& field) {
  const FieldPlan& value = field.kind == FieldKind::wrapper ? field.message->fields.front() : field;
  if (value.kind == FieldKind::enumeration) {
    return fmt::format("a value of the enum {}, by name or number",
                       value.enumeration->descriptor->full_name());
  }
  if (value.kind == FieldKind::message || value.kind == FieldKind::group ||
      value.kind == FieldKind::any) {
    return fmt::format("the JSON form of {}", value.message->descriptor->full_name());
  }
  return std::string(expected_kind(value.kind));
}

std::string found_value(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' ||
                            token.back() == '\t')) {
    token.remove_suffix(1);
  }
  if (token.empty()) return "the end of the record";
  switch (token[0]) {
    case '{':
      return "an object";
    case '[':
      return "a list";
    case '"':
      return "the string " + printable(token);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
      return "the number " + printable(token);
    default:
      return printable(token);
  }
}

std::string did_you_mean(const MessagePlan& plan, std::string_view name) {
  Nearest nearest(name);
  for (const FieldName& known : plan.names) nearest.consider(known.text);
  return nearest.text();
}

std::string did_you_mean(const EnumPlan& plan, std::string_view name) {
  Nearest nearest(name);
  for (const auto& [known, number] : plan.numbers) nearest.consider(known);
  return nearest.text();
}

void JsonPath::inside_field(std::string_view name) {
  const bool joined = text_.empty() || text_.front() == '[';
  text_.insert(0, joined ? std::string(name) : fmt::format("{}.", name));
}

void JsonPath::inside_element(std::size_t index) {
  const bool joined = text_.empty() || text_.front() == '[';
  text_.insert(0, fmt::format("[{}]{}", index, joined ? "" : "."));
}

void JsonPath::inside_map_key(std::string_view key) {
  const bool joined = text_.empty() || text_.front() == '[';
  text_.insert(0, fmt::format("[\"{}\"]{}", printable(key), joined ? "" : "."));
}

std::string JsonPath::text() const {
  constexpr std::size_t text_bytes_max = 256;
  if (text_.empty()) return "the record";
  if (text_.size() <= text_bytes_max) return text_;
  return "..." + text_.substr(text_.size() - text_bytes_max);
}

}  // namespace weir::host
