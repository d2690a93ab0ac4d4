// Where we read JSON differently from Protobuf's json_util, each alone: what tests/decode/README.md
// lists and the random property lets pass.
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <google/protobuf/stubs/logging.h>

#include "decode/decoder.hpp"
#include "decode/schema.hpp"

namespace weir::test {
namespace {

constexpr std::string_view proto3 = R"(
syntax = "proto3"; package t;
enum Color { NONE = 0; RED = 1; }
message Inner { int32 age = 1; }
message M {
  int32 n = 1; double d = 2; bool b = 3; string s = 4; bytes by = 5; Color color = 6;
  repeated int32 list = 7; map<string, int32> map = 8; map<bool, int32> flags = 9;
  map<string, Color> colors = 10; google.protobuf.Timestamp time = 11;
  google.protobuf.Duration span = 12; google.protobuf.Any any = 13;
  google.protobuf.FieldMask mask = 14; optional int32 maybe = 15; repeated Inner inners = 16;
  float f = 17; google.protobuf.Int32Value wrapped = 18; repeated bool bools = 19;
}
)";

constexpr std::string_view proto2 = R"(
syntax = "proto2"; package t; enum Color { NONE = 0; RED = 1; }
message M { optional Color color = 1; }
)";

/// Both readings, as text format; absent: refused.
struct Readings {
  std::optional<std::string> ours;
  std::optional<std::string> json_util;
};

Readings read(const Schema& schema, const std::string& json, bool ignore_unknown) {
  const google::protobuf::LogSilencer silence;
  const auto* type = schema.message("t.M");
  auto decoder = host::make_decoder({.ignore_unknown_fields = ignore_unknown}, type);
  REQUIRE(decoder);
  host::Arena arena;
  Readings out;
  if (const auto wire = (*decoder)->decode(json, arena)) {
    const auto message = schema.parse(type, *wire);
    REQUIRE(message != nullptr);
    out.ours = show(*message);
  }
  if (const auto message = schema.by_json_util(type, json, ignore_unknown)) {
    out.json_util = show(*message);
  }
  return out;
}

void only_json_util_reads(const Schema& schema, const std::vector<std::string>& cases) {
  for (const std::string& json : cases) {
    CAPTURE(json);
    const Readings readings = read(schema, json, false);
    CHECK_FALSE(readings.ours);
    CHECK(readings.json_util);
  }
}

void only_we_read(const Schema& schema, const std::vector<std::string>& cases,
                  bool ignore_unknown) {
  for (const std::string& json : cases) {
    CAPTURE(json);
    const Readings readings = read(schema, json, ignore_unknown);
    CHECK(readings.ours);
    CHECK_FALSE(readings.json_util);
  }
}

void read_differently(const Schema& schema, const char* json, bool ignore_unknown, const char* ours,
                      const char* json_util) {
  CAPTURE(json);
  const Readings readings = read(schema, json, ignore_unknown);
  CHECK(readings.ours.value_or("refused") == ours);
  CHECK(readings.json_util.value_or("refused") == json_util);
}

}  // namespace

TEST_CASE("difference: what is not RFC 8259 is refused") {
  only_json_util_reads(Schema(proto3), {R"({n:1})", R"({'n':1})", R"({"s":'x'})", R"({"n":1,})"});
}

TEST_CASE("difference: what would lose or invent a value is refused") {
  only_json_util_reads(
      Schema(proto3),
      {R"({"list":1})", R"({"inners":{"age":1}})", R"({"list":[1,null]})", R"({"map":{"a":null}})",
       R"({"bools":[[]]})", R"({"any":{"@type":"type.googleapis.com/google.protobuf.Duration"}})",
       R"({"time":"2024-01-01T00:00:00.1234567891Z"})"});
  only_json_util_reads(Schema(proto2), {R"({"color":7})"});
}

TEST_CASE("difference: scalars in quotes are only what proto3 JSON says") {
  only_json_util_reads(Schema(proto3),
                       {R"({"b":"true"})", R"({"b":"yes"})", R"({"n":"01"})", R"({"n":"+1"})",
                        R"({"flags":{"1":1}})", R"({"span":"1.s"})",
                        R"({"time":"0001-01-01T00:00:00+01:00"})", R"({"mask":"a_b"})"});
}

TEST_CASE("difference: exact numbers in quotes and more are read") {
  const Schema schema(proto3);
  only_we_read(schema,
               {R"({"n":"1.0"})", R"({"n":"1e2"})",
                R"({"any":{"@type":"host/google.protobuf.Duration","value":"1s"}})",
                R"({"maybe":1,"maybe":2})"},
               false);
  only_we_read(schema, {R"({"nope":1e400,"n":1})"}, true);
}

TEST_CASE("difference: values that both read") {
  const Schema schema(proto3);
  read_differently(schema, R"({"d":-0})", false, "d: -0", "");
  read_differently(schema, R"({"mask":"aBE"})", false, R"(mask { paths: "a_b_e" })",
                   R"(mask { paths: "a_be" })");
  read_differently(schema, R"({"colors":{"a":"PINK"}})", true, "",
                   R"(colors { key: "a" value: NONE })");
  read_differently(Schema(proto2), R"({"color":7})", true, "", "1: 7");
}

}  // namespace weir::test
