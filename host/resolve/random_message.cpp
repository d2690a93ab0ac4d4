#include "resolve/random_message.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace weir::host {

namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr int depth_max = 4;

class Filler {
 public:
  explicit Filler(std::mt19937_64& random) : random_(random) {}

  void fill(pb::Message& message, int depth) {
    const pb::Descriptor& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const Field& field = *type.field(i);
      if (field.is_repeated()) {
        const std::uint64_t count = one_in(20) ? below(20) : below(4);
        for (std::uint64_t n = 0; n < count; ++n) add(message, field, depth);
      } else if (field.is_required() || !one_in(4)) {
        // A later member of a oneof takes the place of an earlier one.
        set(message, field, depth);
      }
    }
  }

 private:
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  bool one_in(std::uint64_t count) { return below(count) == 0; }

  /// Small values often, the ends of the range sometimes.
  template <typename T>
  T integer() {
    switch (below(6)) {
      case 0:
        return std::numeric_limits<T>::max();
      case 1:
        return std::numeric_limits<T>::min();
      case 2:
        return static_cast<T>(random_());
      default:
        return static_cast<T>(below(100));
    }
  }

  double real() {
    static constexpr std::array<double, 6> special = {0.0,
                                                      -0.0,
                                                      1e300,
                                                      -1.5,
                                                      std::numeric_limits<double>::infinity(),
                                                      std::numeric_limits<double>::quiet_NaN()};
    if (one_in(3)) return special[below(special.size())];
    return static_cast<double>(static_cast<std::int64_t>(below(200'000)) - 100'000) / 100.0;
  }
  float real_as_float() {
    const double value = real();
    return value > 1e38 ? std::numeric_limits<float>::max() : static_cast<float>(value);
  }

  std::string text() {
    static constexpr std::array<std::string_view, 9> words = {
        "ana", "ben", "a", "b", "10.0.0.1", "10.0.0.2", "42", "2026-11-21T00:00:00Z", ""};
    if (!one_in(4)) return std::string(words[below(words.size())]);
    static constexpr std::array<std::string_view, 6> characters = {"x",  " ",      "\n",
                                                                   "\"", "\u00e9", "\U0001F30A"};
    std::string out;
    for (std::uint64_t n = below(one_in(10) ? 2000 : 20); n > 0; --n) {
      out += characters[below(characters.size())];
    }
    return out;
  }

  std::string bytes() {
    std::string out(below(40), '\0');
    for (char& byte : out) byte = static_cast<char>(random_());
    return out;
  }

  const pb::EnumValueDescriptor* value_of(const pb::EnumDescriptor& type) {
    return type.value(static_cast<int>(below(static_cast<std::uint64_t>(type.value_count()))));
  }

  /// Where a message cannot be nested deeper it stays empty, unless a required field forbids that.
  bool stops_at(int depth) const { return depth >= depth_max; }

  void set(pb::Message& message, const Field& field, int depth) {
    const pb::Reflection& access = *message.GetReflection();
    switch (field.cpp_type()) {
      case Field::CPPTYPE_INT32:
        return access.SetInt32(&message, &field, integer<std::int32_t>());
      case Field::CPPTYPE_INT64:
        return access.SetInt64(&message, &field, integer<std::int64_t>());
      case Field::CPPTYPE_UINT32:
        return access.SetUInt32(&message, &field, integer<std::uint32_t>());
      case Field::CPPTYPE_UINT64:
        return access.SetUInt64(&message, &field, integer<std::uint64_t>());
      case Field::CPPTYPE_DOUBLE:
        return access.SetDouble(&message, &field, real());
      case Field::CPPTYPE_FLOAT:
        return access.SetFloat(&message, &field, real_as_float());
      case Field::CPPTYPE_BOOL:
        return access.SetBool(&message, &field, one_in(2));
      case Field::CPPTYPE_ENUM:
        return access.SetEnum(&message, &field, value_of(*field.enum_type()));
      case Field::CPPTYPE_STRING:
        return access.SetString(&message, &field,
                                field.type() == Field::TYPE_STRING ? text() : bytes());
      case Field::CPPTYPE_MESSAGE:
        if (stops_at(depth) && !field.is_required()) return;
        return fill(*access.MutableMessage(&message, &field), depth + 1);
    }
  }

  void add(pb::Message& message, const Field& field, int depth) {
    const pb::Reflection& access = *message.GetReflection();
    switch (field.cpp_type()) {
      case Field::CPPTYPE_INT32:
        return access.AddInt32(&message, &field, integer<std::int32_t>());
      case Field::CPPTYPE_INT64:
        return access.AddInt64(&message, &field, integer<std::int64_t>());
      case Field::CPPTYPE_UINT32:
        return access.AddUInt32(&message, &field, integer<std::uint32_t>());
      case Field::CPPTYPE_UINT64:
        return access.AddUInt64(&message, &field, integer<std::uint64_t>());
      case Field::CPPTYPE_DOUBLE:
        return access.AddDouble(&message, &field, real());
      case Field::CPPTYPE_FLOAT:
        return access.AddFloat(&message, &field, real_as_float());
      case Field::CPPTYPE_BOOL:
        return access.AddBool(&message, &field, one_in(2));
      case Field::CPPTYPE_ENUM:
        return access.AddEnum(&message, &field, value_of(*field.enum_type()));
      case Field::CPPTYPE_STRING:
        return access.AddString(&message, &field,
                                field.type() == Field::TYPE_STRING ? text() : bytes());
      case Field::CPPTYPE_MESSAGE:
        if (stops_at(depth)) return;
        return fill(*access.AddMessage(&message, &field), depth + 1);
    }
  }

  std::mt19937_64& random_;
};

}  // namespace

void fill_random(pb::Message& message, std::mt19937_64& random) { Filler(random).fill(message, 0); }

}  // namespace weir::host
