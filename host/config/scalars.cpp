#include "config/scalars.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <sodium.h>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/listen_address.hpp"
#include "config/bind.hpp"
#include "config/suggest.hpp"
#include "config/values.hpp"
#include "weir/config/v1/options.pb.h"

namespace weir::host {
namespace {

namespace pb = google::protobuf;
using pb::FieldDescriptor;

constexpr std::size_t shown_bytes_max = 80;

config::v1::Unit unit_of(const FieldDescriptor& field) {
  return field.options().GetExtension(config::v1::unit);
}

/// The text as messages may show it.
std::string shown(const Scalar& scalar) {
  if (scalar.hidden) return "\"***\"";
  std::string out;
  for (const char c : scalar.text.substr(0, shown_bytes_max)) {
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  while (!is_utf8(out)) out.pop_back();
  return '"' + out + (scalar.text.size() > shown_bytes_max ? "...\"" : "\"");
}

/// The message of a reader of texts, which quotes the text, unless that is a secret.
Misfit misfit(const Scalar& scalar, const Error& why, std::string hint = {}) {
  return {scalar.hidden ? "\"***\" does not fit" : why.message, std::move(hint)};
}

std::optional<Misfit> set_bytes(pb::Message* message, const FieldDescriptor& field, Place place,
                                const Scalar& scalar) {
  const std::string& text = scalar.text;
  std::string bytes(text.size(), '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  const int failed =
      sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                        text.size(), "\n ", &size, &end, sodium_base64_VARIANT_ORIGINAL);
  if (failed != 0 || end != text.data() + text.size()) {
    return Misfit{shown(scalar) + " is not base64", ""};
  }
  bytes.resize(size);
  const pb::Reflection& reflection = *message->GetReflection();
  place == Place::item ? reflection.AddString(message, &field, std::move(bytes))
                       : reflection.SetString(message, &field, std::move(bytes));
  return std::nullopt;
}

std::optional<Misfit> check_start(const Scalar& scalar) {
  if (scalar.text == "earliest" || scalar.text == "latest") return std::nullopt;
  const std::vector<std::string> words = {"earliest", "latest"};
  if (const std::string_view meant = nearest(scalar.text, words); !meant.empty()) {
    return Misfit{shown(scalar) + " is not a start", fmt::format("did you mean \"{}\"?", meant)};
  }
  const auto time = parse_time(scalar.text);
  if (time) return std::nullopt;
  return misfit(scalar, time.error(), "or write earliest or latest");
}

std::string broker_hint(const Scalar& scalar) {
  if (scalar.hidden) return "write HOST:PORT, such as kafka:9092";
  if (const std::size_t scheme = scalar.text.find("://"); scheme != std::string::npos) {
    return fmt::format("write {}; how it is spoken to is security.protocol in log.kafka.properties",
                       printable(scalar.text.substr(scheme + 3)));
  }
  if (check_broker(scalar.text + ":9092"))
    return fmt::format("write the port too, such as {}:9092", scalar.text);
  return "write HOST:PORT, such as kafka:9092";
}

std::optional<Misfit> set_string(pb::Message* message, const FieldDescriptor& field, Place place,
                                 const Scalar& scalar) {
  if (field.type() == FieldDescriptor::TYPE_BYTES) return set_bytes(message, field, place, scalar);
  if (scalar.text.empty() && field.options().GetExtension(config::v1::mandatory)) {
    return Misfit{"it is empty", ""};
  }
  if (unit_of(field) == config::v1::NAME) {
    if (const auto fits = check_name(scalar.text); !fits) return misfit(scalar, fits.error());
  }
  if (unit_of(field) == config::v1::START) {
    if (auto wrong = check_start(scalar)) return wrong;
  }
  if (unit_of(field) == config::v1::LISTEN) {
    if (const auto fits = parse_listen_address(scalar.text); !fits) {
      return misfit(scalar, fits.error(), "or write unix:PATH or off");
    }
  }
  if (unit_of(field) == config::v1::BROKER) {
    if (const auto fits = check_broker(scalar.text); !fits) {
      return misfit(scalar, fits.error(), broker_hint(scalar));
    }
  }
  const pb::Reflection& reflection = *message->GetReflection();
  place == Place::item ? reflection.AddString(message, &field, scalar.text)
                       : reflection.SetString(message, &field, scalar.text);
  return std::nullopt;
}

std::optional<Misfit> set_bool(pb::Message* message, const FieldDescriptor& field, Place place,
                               const Scalar& scalar) {
  const std::string& text = scalar.text;
  if (text != "true" && text != "false") {
    const auto is_one_of = [&](std::initializer_list<std::string_view> words) {
      return std::find(words.begin(), words.end(), text) != words.end();
    };
    std::string hint;
    if (is_one_of({"yes", "Yes", "on", "On", "True", "TRUE", "y", "1"})) hint = "write true";
    if (is_one_of({"no", "No", "off", "Off", "False", "FALSE", "n", "0"})) hint = "write false";
    return Misfit{shown(scalar) + " is not true or false", hint};
  }
  const pb::Reflection& reflection = *message->GetReflection();
  place == Place::item ? reflection.AddBool(message, &field, text == "true")
                       : reflection.SetBool(message, &field, text == "true");
  return std::nullopt;
}

std::optional<Misfit> set_enum(pb::Message* message, const FieldDescriptor& field, Place place,
                               const Scalar& scalar) {
  const std::vector<std::string> spellings = enum_spellings(*field.enum_type());
  std::vector<std::string> known;
  for (std::size_t i = 0; i < spellings.size(); ++i) {
    if (spellings[i].empty()) continue;
    known.push_back(spellings[i]);
    if (spellings[i] != scalar.text) continue;
    const pb::EnumValueDescriptor* value = field.enum_type()->value(static_cast<int>(i));
    const pb::Reflection& reflection = *message->GetReflection();
    place == Place::item ? reflection.AddEnum(message, &field, value)
                         : reflection.SetEnum(message, &field, value);
    return std::nullopt;
  }
  const std::string_view meant = scalar.hidden ? "" : nearest(scalar.text, known);
  return Misfit{fmt::format("{} is not one of {}", shown(scalar), fmt::join(known, ", ")),
                meant.empty() ? "" : fmt::format("did you mean \"{}\"?", meant)};
}

template <typename T>
void set_number(pb::Message* message, const FieldDescriptor& field, Place place, T value) {
  const pb::Reflection& r = *message->GetReflection();
  const bool item = place == Place::item;
  if constexpr (std::is_same_v<T, std::int32_t>) {
    item ? r.AddInt32(message, &field, value) : r.SetInt32(message, &field, value);
  } else if constexpr (std::is_same_v<T, std::uint32_t>) {
    item ? r.AddUInt32(message, &field, value) : r.SetUInt32(message, &field, value);
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    item ? r.AddInt64(message, &field, value) : r.SetInt64(message, &field, value);
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    item ? r.AddUInt64(message, &field, value) : r.SetUInt64(message, &field, value);
  } else if constexpr (std::is_same_v<T, float>) {
    item ? r.AddFloat(message, &field, value) : r.SetFloat(message, &field, value);
  } else {
    item ? r.AddDouble(message, &field, value) : r.SetDouble(message, &field, value);
  }
}

/// A bound of the field's options as one writes it.
std::string bound(const FieldDescriptor& field, std::uint64_t value) {
  if (unit_of(field) == config::v1::DURATION) {
    return format_duration(static_cast<std::int64_t>(value));
  }
  return unit_of(field) == config::v1::SIZE ? format_size(value) : fmt::format("{}", value);
}

template <typename T>
std::optional<Misfit> check_bounds(const FieldDescriptor& field, const Scalar& scalar, T value) {
  const auto& options = field.options();
  const bool has_min = options.HasExtension(config::v1::min);
  const bool has_max = options.HasExtension(config::v1::max);
  const std::uint64_t min = options.GetExtension(config::v1::min);
  const std::uint64_t max = options.GetExtension(config::v1::max);
  const bool is_outside =
      (has_min && std::cmp_less(value, min)) || (has_max && std::cmp_greater(value, max));
  if (!is_outside) return std::nullopt;
  if (unit_of(field) == config::v1::DURATION && std::cmp_equal(value, duration_infinity)) {
    return Misfit{"infinity is not possible here", "write a length of time, such as 5s"};
  }
  if (has_min && has_max) {
    return Misfit{
        fmt::format("{} is outside {} to {}", shown(scalar), bound(field, min), bound(field, max)),
        ""};
  }
  return Misfit{fmt::format("{} is {} {}", shown(scalar), has_min ? "below" : "above",
                            bound(field, has_min ? min : max)),
                ""};
}

template <typename T>
std::optional<Misfit> read_integer(const Scalar& scalar, T& value) {
  const char* const end = scalar.text.data() + scalar.text.size();
  const auto [stop, code] = std::from_chars(scalar.text.data(), end, value);
  if (code == std::errc::result_out_of_range && stop == end) {
    return Misfit{fmt::format("{} is outside {} to {}", shown(scalar),
                              std::numeric_limits<T>::min(), std::numeric_limits<T>::max()),
                  ""};
  }
  if (code != std::errc{} || stop != end) {
    const bool is_negative = std::is_unsigned_v<T> && scalar.text.starts_with('-');
    return Misfit{shown(scalar) + " is not a whole number",
                  is_negative ? "it cannot be negative" : "write digits only"};
  }
  // Other readers of YAML take 010 for 8.
  const std::string_view digits =
      std::string_view(scalar.text).substr(scalar.text.starts_with('-') ? 1 : 0);
  if (digits.size() > 1 && digits.front() == '0') {
    return Misfit{shown(scalar) + " starts with a zero",
                  scalar.hidden ? "" : fmt::format("write {}", value)};
  }
  return std::nullopt;
}

template <typename T>
std::optional<Misfit> set_integer(pb::Message* message, const FieldDescriptor& field, Place place,
                                  const Scalar& scalar) {
  T value{};
  std::optional<Misfit> wrong;
  const auto take = [&](const auto& parsed) {
    if (!parsed) {
      wrong = misfit(scalar, parsed.error());
    } else if (!std::in_range<T>(*parsed)) {
      wrong = Misfit{shown(scalar) + " is too large", ""};
    } else {
      value = static_cast<T>(*parsed);
    }
  };
  switch (unit_of(field)) {
    case config::v1::DURATION:
      take(parse_duration(scalar.text));
      break;
    case config::v1::SIZE:
      take(parse_size(scalar.text));
      break;
    default:
      wrong = read_integer(scalar, value);
  }
  if (!wrong) wrong = check_bounds(field, scalar, value);
  if (!wrong) set_number(message, field, place, value);
  return wrong;
}

template <typename T>
std::optional<Misfit> set_real(pb::Message* message, const FieldDescriptor& field, Place place,
                               const Scalar& scalar) {
  T value{};
  const char* const end = scalar.text.data() + scalar.text.size();
  const auto [stop, code] = std::from_chars(scalar.text.data(), end, value);
  if (code == std::errc::result_out_of_range && stop == end) {
    return Misfit{shown(scalar) + " does not fit the number's type", ""};
  }
  if (code != std::errc{} || stop != end || !std::isfinite(value)) {
    return Misfit{shown(scalar) + " is not a number", "write digits, such as 0.25, -3 or 1e6"};
  }
  set_number(message, field, place, value);
  return std::nullopt;
}

void set_seconds(pb::Message* message, std::int64_t seconds, std::int32_t nanos) {
  const pb::Descriptor& type = *message->GetDescriptor();
  const pb::Reflection& reflection = *message->GetReflection();
  reflection.SetInt64(message, type.FindFieldByName("seconds"), seconds);
  reflection.SetInt32(message, type.FindFieldByName("nanos"), nanos);
}

}  // namespace

std::string_view expected_words(const FieldDescriptor& field) {
  switch (unit_of(field)) {
    case config::v1::DURATION:
      return "a duration such as 250ms or 1h30m";
    case config::v1::SIZE:
      return "a size such as 64KiB or 16MiB";
    case config::v1::NAME:
      return "a name";
    case config::v1::START:
      return "earliest, latest or a time";
    case config::v1::LISTEN:
      return "an address such as 127.0.0.1:9464, unix:PATH or off";
    case config::v1::BROKER:
      return "a broker such as kafka:9092";
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

std::optional<Misfit> set_scalar(pb::Message* message, const FieldDescriptor& field, Place place,
                                 const Scalar& scalar) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return set_string(message, field, place, scalar);
    case FieldDescriptor::CPPTYPE_BOOL:
      return set_bool(message, field, place, scalar);
    case FieldDescriptor::CPPTYPE_ENUM:
      return set_enum(message, field, place, scalar);
    case FieldDescriptor::CPPTYPE_INT32:
      return set_integer<std::int32_t>(message, field, place, scalar);
    case FieldDescriptor::CPPTYPE_UINT32:
      return set_integer<std::uint32_t>(message, field, place, scalar);
    case FieldDescriptor::CPPTYPE_INT64:
      return set_integer<std::int64_t>(message, field, place, scalar);
    case FieldDescriptor::CPPTYPE_UINT64:
      return set_integer<std::uint64_t>(message, field, place, scalar);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return set_real<double>(message, field, place, scalar);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return set_real<float>(message, field, place, scalar);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  WEIR_ASSERT(false, "a message is not a scalar");
}

std::string_view text_form_words(const pb::Descriptor& type) {
  const std::string& name = type.full_name();
  if (name == "google.protobuf.Timestamp") return "a time such as 2026-01-31T00:00:00Z";
  if (name == "google.protobuf.Duration") return "a duration such as 250ms or 1h30m";
  if (name == "google.protobuf.FieldMask") return "field paths with commas between them";
  if (type.file()->name() != "google/protobuf/wrappers.proto") return {};
  return expected_words(*type.FindFieldByName("value"));
}

std::optional<Misfit> set_text_form(pb::Message* message, const Scalar& scalar) {
  const pb::Descriptor& type = *message->GetDescriptor();
  if (type.full_name() == "google.protobuf.Timestamp") {
    const auto time = parse_time(scalar.text);
    if (!time) return misfit(scalar, time.error());
    set_seconds(message, time->seconds, time->nanos);
    return std::nullopt;
  }
  if (type.full_name() == "google.protobuf.Duration") {
    const auto ms = parse_duration(scalar.text);
    if (!ms) return misfit(scalar, ms.error());
    if (*ms == duration_infinity) {
      return Misfit{"infinity is not possible here", "write a length of time, such as 5s"};
    }
    set_seconds(message, *ms / 1000, static_cast<std::int32_t>(*ms % 1000) * 1'000'000);
    return std::nullopt;
  }
  if (type.full_name() == "google.protobuf.FieldMask") {
    const FieldDescriptor& paths = *type.FindFieldByName("paths");
    std::string_view rest = scalar.text;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      message->GetReflection()->AddString(message, &paths, std::string(rest.substr(0, comma)));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return std::nullopt;
  }
  return set_scalar(message, *type.FindFieldByName("value"), Place::single, scalar);
}

}  // namespace weir::host
