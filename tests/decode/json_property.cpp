#include "decode/json_property.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>
#include <nlohmann/json.hpp>

#include "decode/json_number.hpp"
#include "decode/json_to_wire.hpp"
#include "decode/random_schema.hpp"
#include "decode/schema.hpp"

namespace weir::test {
namespace {

namespace pb = google::protobuf;

/// A documented difference in which json_util takes what we refuse: part of our reason, and its
/// name. tests/decode/README.md has the list; json_differences_test.cpp shows each alone.
struct Difference {
  std::string_view reason;
  std::string_view name;
};

constexpr std::array differences{
    Difference{"expected field paths", "odd field paths"},
    Difference{"beside \"@type\"", "an Any without its value"},
    Difference{"expected \"@type\" and one", "an Any without its value"},
    Difference{"found an object", "an object or list in place of a scalar"},
    Difference{"found a list", "an object or list in place of a scalar"},
    Difference{"expected a list, found", "a value in place of a list"},
    Difference{"found null", "null in a list or map"},
    Difference{"expected true or false, found the string", "bool in quotes"},
    Difference{"expected true or false as the key", "bool key in other words"},
    Difference{"expected null, found", "number that a proto2 enum does not know"},
    Difference{"a value of the enum", "number that a proto2 enum does not know"},
    Difference{"an integer from", "loose number in quotes"},
    Difference{"a number in the range", "loose number in quotes"},
    Difference{"expected a time", "loose time"},
    Difference{"expected a duration", "loose time"},
    Difference{"messages inside each other", "nesting"},
    Difference{"surrogate", "half a surrogate pair"},
};

std::string to_json(const pb::Message& message, Random& random, bool& prints_defaults) {
  pb::util::JsonPrintOptions options;
  options.add_whitespace = random.chance(30);
  options.always_print_primitive_fields = random.chance(20);
  options.always_print_enums_as_ints = random.chance(30);
  options.preserve_proto_field_names = random.chance(40);
  prints_defaults = options.always_print_primitive_fields;
  std::string json;
  const auto status = pb::util::MessageToJsonString(message, &json, options);
  return status.ok() ? json : std::string();
}

/// The fields of both in one object.
std::string splice(const std::string& a, const std::string& b) {
  const std::size_t end = a.rfind('}');
  const std::size_t begin = b.find('{');
  const bool comma = a.find('"') != std::string::npos && b.find('"') != std::string::npos;
  return a.substr(0, end) + (comma ? "," : "") + b.substr(begin + 1);
}

/// One small thing wrong, or right in another way.
std::string broken(std::string json, Random& random) {
  static constexpr std::array<std::string_view, 30> tokens{"null",
                                                           "true",
                                                           "false",
                                                           "0",
                                                           "-0",
                                                           "1",
                                                           "-1",
                                                           "1.0",
                                                           "1e2",
                                                           "1.5",
                                                           "4294967296",
                                                           "1e400",
                                                           "99999999999999999999",
                                                           "01",
                                                           "\"\"",
                                                           "\"x\"",
                                                           "\"1\"",
                                                           "\"1.0\"",
                                                           "\"true\"",
                                                           "\"NaN\"",
                                                           "\"YQ==\"",
                                                           "\"Y-_\"",
                                                           "\"1s\"",
                                                           "\"2024-01-01T00:00:00Z\"",
                                                           "\"\\ud800\"",
                                                           "\"\\u00e9\"",
                                                           "[]",
                                                           "{}",
                                                           "[null]",
                                                           "{\"a\":1}"};
  static constexpr std::string_view characters = "{}[],:\"0123456789.-+eE tfn\\ua_=/Z'\x01\xff";
  if (json.empty()) return json;
  const std::size_t at = random.below(json.size());
  switch (random.below(6)) {
    case 0: {
      const std::size_t colon = json.find(':', at);
      if (colon == std::string::npos) break;
      const std::size_t end = json.find_first_of(",}]", colon);
      return json.replace(colon + 1, end - colon - 1, tokens[random.below(tokens.size())]);
    }
    case 1: {
      const std::size_t start = json.find_first_of("[,", at);
      if (start == std::string::npos) break;
      const std::size_t end = json.find_first_of(",}]", start + 1);
      return json.replace(start + 1, end - start - 1, tokens[random.below(tokens.size())]);
    }
    case 2:
      return json.erase(at, 1 + random.below(3));
    case 3:
      return json.insert(at, json.substr(random.below(json.size()), 1 + random.below(12)));
    case 4:
      json[at] = characters[random.below(characters.size())];
      return json;
    default:
      return json.insert(at, 1, characters[random.below(characters.size())]);
  }
  return json;
}

bool has_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != text.npos; });
}

/// Whether json_util complains about a number such as "1.0" or "1e2".
bool names_exact_number(std::string_view its_reason) {
  constexpr std::string_view before = "invalid value \"";
  const std::size_t at = its_reason.find(before);
  if (at == its_reason.npos) return false;
  const std::string_view rest = its_reason.substr(at + before.size());
  const std::string_view number = rest.substr(0, rest.find('"'));
  return number.find_first_of(".eE") != number.npos && host::is_json_number(number);
}

/// Every number -0 as -0.0.
std::string with_minus_zero_as_float(std::string json) {
  constexpr std::string_view before = ":[, \n";
  constexpr std::string_view after = ",]} \n";
  for (std::size_t at = json.find("-0", 1); at < json.size() - 2; at = json.find("-0", at + 2)) {
    if (before.find(json[at - 1]) != before.npos && after.find(json[at + 2]) != after.npos) {
      json.insert(at + 2, ".0");
    }
  }
  return json;
}

class Property {
 public:
  Property(std::uint64_t seed, host::PlanFault fault) : seed_(seed), fault_(fault) {}

  PropertyRun run(std::size_t cases) {
    for (std::size_t i = 0; i < cases && !run_.failure; ++i) {
      Random random(seed_ + i);
      if (i % 20 == 0 || schema_ == nullptr) {
        schema_random_ = std::make_unique<Random>(seed_ + i);
        const pb::FileDescriptorProto file = random_file(*schema_random_);
        has_optional_ = file.DebugString().find("proto3_optional") != std::string::npos;
        schema_ = std::make_unique<Schema>(file);
      }
      one_case(random, i);
    }
    return run_;
  }

 private:
  void one_case(Random& random, std::size_t index) {
    const auto* type = schema_->message("r.M0");
    ignore_unknown_ = random.chance(30);
    const auto plans = host::PlanSet::build(*type, {}, fault_);
    host::JsonToWire encoder(**plans, {.ignore_unknown_fields = ignore_unknown_});

    const auto message = schema_->make(type);
    const auto other = schema_->make(type);
    fill(*message, random);
    fill(*other, random);
    bool prints_defaults = false;
    const std::string json = to_json(*message, random, prints_defaults);
    const std::string other_json = to_json(*other, random, prints_defaults);
    if (json.empty() || other_json.empty()) {
      run_.failure = fmt::format("case {}: json_util cannot print {}", index, show(*message));
      return;
    }
    compare(encoder, type, json, index);
    compare(encoder, type, splice(json, other_json), index);
    for (int i = 0; i < 4; ++i) {
      std::string mutated = broken(i < 3 ? json : splice(json, other_json), random);
      if (random.chance(20)) mutated = broken(mutated, random);
      compare(encoder, type, mutated, index);
    }
  }

  void compare(host::JsonToWire& encoder, const pb::Descriptor* type, const std::string& json,
               std::size_t index) {
    if (run_.failure) return;
    const auto wire = encoder.encode(json);
    std::string its_reason;
    const auto wanted = schema_->by_json_util(type, json, ignore_unknown_, &its_reason);
    const auto failed = [&](std::string_view what) {
      run_.failure =
          fmt::format("case {}: {}\n  reason: {}\n  json: {}\n  json_util: {}", index, what,
                      wire ? "" : wire.error().message, json, wanted ? show(*wanted) : its_reason);
    };
    if (!wire) {
      if (wire.error().message.empty()) return failed("refused without a reason");
      if (!wanted) {
        ++run_.refused;
      } else if (!is_documented(json, wire.error().message)) {
        failed("only json_util reads it");
      }
      return;
    }
    const auto got = schema_->parse(type, *wire);
    if (got == nullptr) return failed("what came out does not parse");
    if (!wanted) {
      if (!is_documented_refusal(json, its_reason)) failed("only we read it: " + show(*got));
      return;
    }
    if (!same(*got, *wanted) && !same_with_minus_zero(type, json, *got) &&
        !differ_in_underscores(*got, *wanted) && !ignores_enum(*got, *wanted) &&
        json.find("\"\":") == json.npos) {
      return failed("we read it as " + show(*got));
    }
    ++run_.accepted;
  }

  bool is_documented(const std::string& json, std::string_view reason) {
    if (!nlohmann::json::accept(json)) {
      ++run_.differences["not RFC 8259"];
      return true;
    }
    for (const Difference& difference : differences) {
      if (reason.find(difference.reason) == reason.npos) continue;
      ++run_.differences[std::string(difference.name)];
      return true;
    }
    return false;
  }

  /// Capitals in a row in a field path: json_util writes fewer underscores than its printer reads.
  bool differ_in_underscores(const pb::Message& a, const pb::Message& b) {
    std::string left = show(a);
    std::string right = show(b);
    if (left.find("paths") == left.npos) return false;
    std::erase(left, '_');
    std::erase(right, '_');
    if (left != right) return false;
    ++run_.differences["odd field paths"];
    return true;
  }

  /// Ignored enum values. A name, in a map: we leave the entry out, json_util keeps it with the
  /// default. A number, in proto2: it stays among json_util's unknown fields.
  bool ignores_enum(const pb::Message& got, const pb::Message& wanted) {
    if (!ignore_unknown_) return false;
    const auto left = schema_->make(got.GetDescriptor());
    const auto right = schema_->make(got.GetDescriptor());
    left->CopyFrom(got);
    right->CopyFrom(wanted);
    right->DiscardUnknownFields();
    const bool only_numbers = same(*left, *right);
    remove_default_enum_entries(*left);
    remove_default_enum_entries(*right);
    if (!same(*left, *right)) return false;
    ++run_.differences[only_numbers ? "number that a proto2 enum does not know"
                                    : "unknown enum name as a map's value"];
    return true;
  }

  static void remove_default_enum_entries(pb::Message& message) {
    const auto& reflection = *message.GetReflection();
    std::vector<const pb::FieldDescriptor*> fields;
    reflection.ListFields(message, &fields);
    for (const auto* field : fields) {
      if (field->message_type() == nullptr) continue;
      const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
      for (int i = count - 1; i >= 0; --i) {
        pb::Message& inner = field->is_repeated()
                                 ? *reflection.MutableRepeatedMessage(&message, field, i)
                                 : *reflection.MutableMessage(&message, field);
        const auto* value = field->is_map() ? field->message_type()->FindFieldByNumber(2) : nullptr;
        if (value == nullptr || value->enum_type() == nullptr) {
          remove_default_enum_entries(inner);
        } else if (inner.GetReflection()->GetEnumValue(inner, value) ==
                   value->default_value_enum()->number()) {
          reflection.SwapElements(&message, field, i, reflection.FieldSize(message, field) - 1);
          reflection.RemoveLast(&message, field);
        }
      }
    }
  }

  /// json_util reads -0 as an integer, which has no sign then; it reads -0.0 as we do.
  bool same_with_minus_zero(const pb::Descriptor* type, const std::string& json,
                            const pb::Message& got) {
    const auto wanted =
        schema_->by_json_util(type, with_minus_zero_as_float(json), ignore_unknown_);
    if (!wanted || !same(got, *wanted)) return false;
    ++run_.differences["minus zero"];
    return true;
  }

  /// The other way round: what json_util alone refuses.
  bool is_documented_refusal(const std::string& json, std::string_view its_reason) {
    const std::string text(its_reason);
    std::string_view name;
    if (text.find("oneof field '_") != text.npos ||
        (has_optional_ &&
         has_any(text, {"Root element", "CHECK", "Cannot find field", ".value)"})) ||
        (has_optional_ && text.ends_with("Entry"))) {
      name = "proto3 optional twice";
    } else if (names_exact_number(text)) {
      name = "1.0 or 1e2 in quotes";
    } else if (text.find("invalid value \"-0\"") != text.npos) {
      name = "minus zero";
    } else if (text.find("Invalid type URL") != text.npos) {
      name = "an Any of another host than type.googleapis.com";
    } else if (ignore_unknown_ && text.find("exceeds the range of double") != text.npos) {
      name = "an ignored number beyond double";
    } else if (ignore_unknown_ && json.find("\"\":") != json.npos) {
      name = "the empty name";
    } else {
      return false;
    }
    ++run_.differences[std::string(name)];
    return true;
  }

  const std::uint64_t seed_;
  const host::PlanFault fault_;
  std::unique_ptr<Random> schema_random_;
  std::unique_ptr<Schema> schema_;
  bool ignore_unknown_ = false;
  bool has_optional_ = false;
  PropertyRun run_;
};

}  // namespace

PropertyRun run_json_property(std::uint64_t seed, std::size_t cases, host::PlanFault fault) {
  const pb::LogSilencer silence;
  return Property(seed, fault).run(cases);
}

}  // namespace weir::test
