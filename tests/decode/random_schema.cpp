#include "decode/random_schema.hpp"

#include <array>
#include <cstdlib>
#include <set>
#include <string_view>

#include "support/seed.hpp"

namespace weir::test {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptorProto;

constexpr std::array scalar_types{Field::TYPE_INT32,    Field::TYPE_INT64,   Field::TYPE_UINT32,
                                  Field::TYPE_UINT64,   Field::TYPE_SINT32,  Field::TYPE_SINT64,
                                  Field::TYPE_FIXED32,  Field::TYPE_FIXED64, Field::TYPE_SFIXED32,
                                  Field::TYPE_SFIXED64, Field::TYPE_FLOAT,   Field::TYPE_DOUBLE,
                                  Field::TYPE_BOOL,     Field::TYPE_STRING,  Field::TYPE_BYTES};

constexpr std::array well_known{
    ".google.protobuf.Timestamp",   ".google.protobuf.Duration",    ".google.protobuf.Int32Value",
    ".google.protobuf.UInt64Value", ".google.protobuf.DoubleValue", ".google.protobuf.FloatValue",
    ".google.protobuf.Int64Value",  ".google.protobuf.UInt32Value", ".google.protobuf.BoolValue",
    ".google.protobuf.StringValue", ".google.protobuf.BytesValue",  ".google.protobuf.Struct",
    ".google.protobuf.Value",       ".google.protobuf.ListValue",   ".google.protobuf.Any",
    ".google.protobuf.FieldMask",   ".google.protobuf.Empty"};

template <typename T, std::size_t N>
const T& pick(const std::array<T, N>& of, Random& random) {
  return of[random.below(N)];
}

/// Makes one random file.
class Maker {
 public:
  explicit Maker(Random& random) : random_(random) {}

  pb::FileDescriptorProto make() {
    proto2_ = random_.chance(20);
    file_.set_name("random.proto");
    file_.set_package("r");
    file_.set_syntax(proto2_ ? "proto2" : "proto3");
    enum_count_ = 1 + random_.below(2);
    message_count_ = 1 + random_.below(4);
    for (std::size_t i = 0; i < enum_count_; ++i) add_enum(i);
    for (std::size_t i = 0; i < message_count_; ++i) add_message(i);
    return file_;
  }

 private:
  void add_enum(std::size_t index) {
    auto* made = file_.add_enum_type();
    made->set_name("E" + std::to_string(index));
    const std::size_t count = 1 + random_.below(5);
    for (std::size_t i = 0; i < count; ++i) {
      auto* value = made->add_value();
      value->set_name("E" + std::to_string(index) + "_V" + std::to_string(i));
      const auto number = static_cast<std::int32_t>(i);
      value->set_number(random_.chance(30) ? -number : number * (random_.chance(20) ? 70'000 : 1));
    }
  }

  void add_message(std::size_t index) {
    auto* made = file_.add_message_type();
    made->set_name("M" + std::to_string(index));
    numbers_.clear();
    const std::size_t count = random_.below(12);
    for (std::size_t i = 0; i < count; ++i) add_field(*made, i);
    add_synthetic_oneofs(*made);
  }

  void add_field(pb::DescriptorProto& message, std::size_t index) {
    static constexpr std::array words{"a_b",   "fooBar", "x",     "under__score",
                                      "UPPER", "tail_",  "_lead", "a1_2b"};
    auto* field = message.add_field();
    field->set_name("f" + std::to_string(index) + "_" + pick(words, random_));
    field->set_number(number());
    if (random_.chance(5))
      field->set_json_name("json \"name\" " + std::to_string(index) + " \xc3\xbc");
    const std::size_t shape = random_.below(100);
    if (shape < 15) {
      make_map(message, *field);
      return;
    }
    set_type(*field);
    field->set_label(Field::LABEL_OPTIONAL);
    if (shape < 40) {
      field->set_label(Field::LABEL_REPEATED);
      const bool packable = field->type() != Field::TYPE_STRING &&
                            field->type() != Field::TYPE_BYTES &&
                            field->type() != Field::TYPE_MESSAGE;
      if (packable && random_.chance(40)) field->mutable_options()->set_packed(random_.chance(50));
    } else if (shape < 60) {
      const int previous = message.field_size() - 2;  // the members of a oneof stand together
      const bool join = previous >= 0 && message.field(previous).has_oneof_index();
      if (!join || random_.chance(20)) {
        message.add_oneof_decl()->set_name("o" + std::to_string(message.oneof_decl_size()));
      }
      field->set_oneof_index(message.oneof_decl_size() - 1);
    } else if (shape < 75 && !proto2_) {
      field->set_proto3_optional(true);
    } else if (shape < 70 && proto2_ && field->type() != Field::TYPE_MESSAGE) {
      field->set_label(Field::LABEL_REQUIRED);
    }
  }

  void add_synthetic_oneofs(pb::DescriptorProto& message) {
    for (auto& field : *message.mutable_field()) {
      if (!field.proto3_optional()) continue;
      field.set_oneof_index(message.oneof_decl_size());
      message.add_oneof_decl()->set_name("_" + field.name());
    }
  }

  void make_map(pb::DescriptorProto& message, Field& field) {
    auto* entry = message.add_nested_type();
    entry->set_name(camel(field.name()) + "Entry");
    entry->mutable_options()->set_map_entry(true);
    auto* key = entry->add_field();
    key->set_name("key");
    key->set_number(1);
    key->set_label(Field::LABEL_OPTIONAL);
    do {
      key->set_type(pick(scalar_types, random_));
    } while (key->type() == Field::TYPE_FLOAT || key->type() == Field::TYPE_DOUBLE ||
             key->type() == Field::TYPE_BYTES);
    auto* value = entry->add_field();
    value->set_name("value");
    value->set_number(2);
    value->set_label(Field::LABEL_OPTIONAL);
    set_type(*value);
    field.set_label(Field::LABEL_REPEATED);
    field.set_type(Field::TYPE_MESSAGE);
    field.set_type_name(".r." + message.name() + "." + entry->name());
  }

  void set_type(Field& field) {
    const std::size_t kind = random_.below(100);
    if (kind < 60) {
      field.set_type(pick(scalar_types, random_));
    } else if (kind < 70) {
      field.set_type(Field::TYPE_ENUM);
      field.set_type_name(".r.E" + std::to_string(random_.below(enum_count_)));
    } else if (kind < 73) {
      field.set_type(Field::TYPE_ENUM);
      field.set_type_name(".google.protobuf.NullValue");
    } else if (kind < 87) {
      field.set_type(Field::TYPE_MESSAGE);
      field.set_type_name(".r.M" + std::to_string(random_.below(message_count_)));
    } else {
      field.set_type(Field::TYPE_MESSAGE);
      field.set_type_name(pick(well_known, random_));
    }
  }

  /// The name that protoc gives to a map's entry.
  static std::string camel(std::string_view name) {
    std::string out;
    bool upper = true;
    for (const char c : name) {
      if (c == '_') {
        upper = true;
      } else {
        out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        upper = false;
      }
    }
    return out;
  }

  std::int32_t number() {
    while (true) {
      const std::size_t end = random_.chance(80) ? 25 : random_.chance(50) ? 4'000 : 536'870'911;
      const auto made = static_cast<std::int32_t>(1 + random_.below(end));
      if (made >= 19'000 && made < 20'000) continue;
      if (numbers_.insert(made).second) return made;
    }
  }

  Random& random_;
  pb::FileDescriptorProto file_;
  bool proto2_ = false;
  std::size_t enum_count_ = 0;
  std::size_t message_count_ = 0;
  std::set<std::int32_t> numbers_;
};

}  // namespace

std::uint64_t seed_from_environment() { return seed_or(20'240'131); }

std::size_t cases_from_environment(std::size_t fallback) {
  const char* text = std::getenv("WEIR_CASES");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

pb::FileDescriptorProto random_file(Random& random) { return Maker(random).make(); }

}  // namespace weir::test
