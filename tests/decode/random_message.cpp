#include <array>
#include <limits>
#include <string_view>

#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>

#include "decode/random_schema.hpp"

namespace weir::test {
namespace {

namespace pb = google::protobuf;

template <typename T, std::size_t N>
const T& pick(const std::array<T, N>& of, Random& random) {
  return of[random.below(N)];
}

template <typename T>
T integer(Random& random) {
  static constexpr std::array<T, 5> edges{0, 1, std::numeric_limits<T>::max(),
                                          std::numeric_limits<T>::min(),
                                          static_cast<T>(std::numeric_limits<T>::max() / 2 + 1)};
  if (random.chance(40)) return pick(edges, random);
  return static_cast<T>(static_cast<T>(random.bits()) >> random.below(sizeof(T) * 8));
}

template <typename T>
T floating(Random& random) {
  static constexpr std::array<T, 10> edges{T{0},
                                           -T{0},
                                           T{1},
                                           static_cast<T>(0.1),
                                           std::numeric_limits<T>::max(),
                                           std::numeric_limits<T>::lowest(),
                                           std::numeric_limits<T>::denorm_min(),
                                           std::numeric_limits<T>::infinity(),
                                           -std::numeric_limits<T>::infinity(),
                                           std::numeric_limits<T>::quiet_NaN()};
  if (random.chance(40)) return pick(edges, random);
  return static_cast<T>(static_cast<std::int64_t>(random.bits())) /
         static_cast<T>(1 + random.below(1'000'000));
}

double finite(Random& random) {
  while (true) {
    const double value = floating<double>(random);
    if (value - value == 0) return value;
  }
}

std::string text(Random& random) {
  static constexpr std::array<std::string_view, 12> pieces{
      "a",    "Z9 ", "\"", "\\", "\n", "\x01", "/", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
      "<&>'", "null"};
  std::string out;
  const std::size_t count = random.below(random.chance(5) ? 60 : 5);
  for (std::size_t i = 0; i < count; ++i) out += pick(pieces, random);
  return out;
}

std::string raw(Random& random) {
  std::string out(random.below(random.chance(5) ? 200 : 8), '\0');
  for (char& c : out) c = static_cast<char>(random.bits());
  return out;
}

/// Fills one field of a message through reflection, as one value or as one more of a list.
class Setter {
 public:
  Setter(pb::Message& message, const pb::FieldDescriptor& field, Random& random, int depth)
      : message_(message),
        field_(field),
        reflection_(*message.GetReflection()),
        random_(random),
        depth_(depth) {}

  void set() {
    using Type = pb::FieldDescriptor;
    const auto& r = reflection_;
    const auto* f = &field_;
    auto* m = &message_;
    const bool list = field_.is_repeated();
    switch (field_.cpp_type()) {
      case Type::CPPTYPE_INT32: {
        const auto value = integer<std::int32_t>(random_);
        list ? r.AddInt32(m, f, value) : r.SetInt32(m, f, value);
        break;
      }
      case Type::CPPTYPE_INT64: {
        const auto value = integer<std::int64_t>(random_);
        list ? r.AddInt64(m, f, value) : r.SetInt64(m, f, value);
        break;
      }
      case Type::CPPTYPE_UINT32: {
        const auto value = integer<std::uint32_t>(random_);
        list ? r.AddUInt32(m, f, value) : r.SetUInt32(m, f, value);
        break;
      }
      case Type::CPPTYPE_UINT64: {
        const auto value = integer<std::uint64_t>(random_);
        list ? r.AddUInt64(m, f, value) : r.SetUInt64(m, f, value);
        break;
      }
      case Type::CPPTYPE_FLOAT: {
        const auto value = floating<float>(random_);
        list ? r.AddFloat(m, f, value) : r.SetFloat(m, f, value);
        break;
      }
      case Type::CPPTYPE_DOUBLE: {
        const auto value = floating<double>(random_);
        list ? r.AddDouble(m, f, value) : r.SetDouble(m, f, value);
        break;
      }
      case Type::CPPTYPE_BOOL: {
        const bool value = random_.chance(50);
        list ? r.AddBool(m, f, value) : r.SetBool(m, f, value);
        break;
      }
      case Type::CPPTYPE_ENUM: {
        const int value = enum_number();
        list ? r.AddEnumValue(m, f, value) : r.SetEnumValue(m, f, value);
        break;
      }
      case Type::CPPTYPE_STRING: {
        std::string value = field_.type() == Type::TYPE_BYTES ? raw(random_) : text(random_);
        list ? r.AddString(m, f, std::move(value)) : r.SetString(m, f, std::move(value));
        break;
      }
      case Type::CPPTYPE_MESSAGE: {
        auto& inner = list ? *r.AddMessage(m, f) : *r.MutableMessage(m, f);
        fill(inner, random_, depth_ - 1);
        break;
      }
    }
  }

 private:
  int enum_number() {
    const auto& type = *field_.enum_type();
    const bool open = field_.file()->syntax() == pb::FileDescriptor::SYNTAX_PROTO3 &&
                      type.full_name() != "google.protobuf.NullValue";
    if (open && random_.chance(10)) return integer<std::int32_t>(random_);
    return type
        .value(static_cast<int>(random_.below(static_cast<std::size_t>(type.value_count()))))
        ->number();
  }

  pb::Message& message_;
  const pb::FieldDescriptor& field_;
  const pb::Reflection& reflection_;
  Random& random_;
  int depth_;
};

void set_time(pb::Message& message, Random& random, bool is_duration) {
  const auto* seconds = message.GetDescriptor()->FindFieldByNumber(1);
  const auto* nanos = message.GetDescriptor()->FindFieldByNumber(2);
  const std::int64_t min = is_duration ? -315'576'000'000 : -62'135'596'800;
  const std::int64_t max = is_duration ? 315'576'000'000 : 253'402'300'799;
  std::int64_t s =
      min + static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(max - min + 1));
  if (random.chance(20)) s = random.chance(50) ? min : max;
  if (random.chance(20)) s = 0;
  auto n = static_cast<std::int32_t>(random.below(1'000'000'000));
  if (random.chance(30)) n = n / 1'000'000 * 1'000'000;
  if (random.chance(30) || s == min || s == max) n = 0;
  if (is_duration && (s < 0 || (s == 0 && random.chance(50)))) n = -n;
  message.GetReflection()->SetInt64(&message, seconds, s);
  message.GetReflection()->SetInt32(&message, nanos, n);
}

void set_value(pb::Message& message, Random& random, int depth) {
  const auto& type = *message.GetDescriptor();
  const auto& r = *message.GetReflection();
  const int number = 1 + static_cast<int>(random.below(depth > 0 ? 6 : 4));
  const auto* field = type.FindFieldByNumber(number);
  if (number == 2) {
    r.SetDouble(&message, field, finite(random));
  } else {
    Setter(message, *field, random, depth).set();
  }
}

void set_any(pb::Message& message, Random& random) {
  pb::Duration inner;
  set_time(inner, random, true);
  pb::Any any;
  any.PackFrom(inner);
  if (random.chance(80)) message.ParseFromString(any.SerializeAsString());
}

bool fill_well_known(pb::Message& message, Random& random, int depth) {
  const std::string& name = message.GetDescriptor()->full_name();
  if (name == "google.protobuf.Timestamp" || name == "google.protobuf.Duration") {
    set_time(message, random, name.ends_with("Duration"));
    return true;
  }
  if (name == "google.protobuf.Value") {
    set_value(message, random, depth);
    return true;
  }
  if (name == "google.protobuf.Any") {
    set_any(message, random);
    return true;
  }
  if (name == "google.protobuf.FieldMask") {
    const auto* paths = message.GetDescriptor()->FindFieldByNumber(1);
    const std::size_t count = random.below(3);
    for (std::size_t i = 0; i < count; ++i) {
      message.GetReflection()->AddString(&message, paths, random.chance(50) ? "a_b.c" : "d");
    }
    return true;
  }
  return false;
}

}  // namespace

void fill(pb::Message& message, Random& random, int depth) {
  if (fill_well_known(message, random, depth)) return;
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const auto& field = *type.field(i);
    const bool nested = field.message_type() != nullptr;
    if (!field.is_required() && (random.chance(35) || (nested && depth <= 0))) continue;
    const std::size_t count = field.is_repeated() ? random.below(5) : 1;
    for (std::size_t n = 0; n < count; ++n) Setter(message, field, random, depth).set();
  }
}

}  // namespace weir::test
