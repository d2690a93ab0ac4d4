#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "decode/decoder.hpp"
#include "decode/schema.hpp"

namespace weir::host {
namespace {

using test::Schema;

constexpr std::string_view proto = R"(
syntax = "proto3";
package t;
enum Color { NONE = 0; RED = 1; DEEP_BLUE = 2; MINUS = -1; }
message Inner { string name = 1; int32 age = 2; Inner child = 3; }
message All {
  int32 i32 = 1; int64 i64 = 2; uint32 u32 = 3; uint64 u64 = 4; sint32 s32 = 5; sint64 s64 = 6;
  fixed32 f32 = 7; fixed64 f64 = 8; sfixed32 sf32 = 9; sfixed64 sf64 = 10; float f = 11;
  double d = 12; bool b = 13; string s = 14; bytes by = 15; Color color = 16; Inner inner = 17;
  repeated int32 numbers = 18; repeated string words = 19; repeated Inner inners = 20;
  repeated int32 loose = 21 [packed = false]; repeated Color colors = 22;
  map<string, int32> counts = 23; map<int32, Inner> people = 24; map<bool, string> flags = 25;
  oneof choice { string text = 26; int32 number = 27; google.protobuf.NullValue nothing = 28; }
  optional int32 maybe = 29; int32 snake_case_name = 30; int32 other = 31 [json_name = "oTHer"];
  google.protobuf.Timestamp time = 32; google.protobuf.Duration span = 33;
  google.protobuf.Int64Value wrapped = 34; google.protobuf.StringValue wrapped_text = 35;
  google.protobuf.Struct structure = 36; google.protobuf.Value value = 37;
  google.protobuf.ListValue list = 38; google.protobuf.Any any = 39;
  google.protobuf.FieldMask mask = 40; google.protobuf.Empty empty = 41;
  repeated google.protobuf.Timestamp times = 42; map<string, google.protobuf.Value> values = 43;
  repeated google.protobuf.Int64Value wrappeds = 44; map<uint64, bytes> blobs = 45;
  google.protobuf.BytesValue wrapped_bytes = 46; repeated google.protobuf.Value any_list = 47;
}
)";

struct Case {
  const char* json;
  const char* text;         ///< the message in text format; null: must be refused
  const char* reason = "";  ///< part of the reason
  bool ignore = false;
};

void check(const Schema& schema, const char* type, const std::vector<Case>& cases) {
  const auto* descriptor = schema.message(type);
  for (const Case& one : cases) {
    const std::string json = one.json;
    CAPTURE(json);
    auto decoder =
        make_decoder({.kind = Format::Kind::json, .ignore_unknown_fields = one.ignore}, descriptor);
    REQUIRE(decoder);
    Arena arena;
    const auto wire = (*decoder)->decode(one.json, arena);
    if (one.text == nullptr) {
      REQUIRE_FALSE(wire);
      CHECK(wire.error().code == Errc::invalid);
      CHECK_MESSAGE(wire.error().message.find(one.reason) != std::string::npos,
                    wire.error().message, " should have ", one.reason);
      continue;
    }
    REQUIRE_MESSAGE(wire, wire.error().message);
    const auto message = schema.parse(descriptor, *wire);
    REQUIRE(message != nullptr);
    CHECK(test::show(*message) == test::show(*schema.from_text(descriptor, one.text)));
  }
}

}  // namespace

TEST_CASE("json: integers come as numbers or strings and exactly") {
  const Schema schema(proto);
  check(schema, "t.All",
        {{R"({})", ""},
         {R"( { "i32" : -2147483648 , "u32" : 4294967295 } )", "i32: -2147483648 u32: 4294967295"},
         {R"({"i64":"-9223372036854775808","u64":"18446744073709551615"})",
          "i64: -9223372036854775808 u64: 18446744073709551615"},
         {R"({"i64":-9223372036854775808,"u64":18446744073709551615})",
          "i64: -9223372036854775808 u64: 18446744073709551615"},
         {R"({"s32":-1,"s64":-9223372036854775808,"f32":1,"f64":2,"sf32":-3,"sf64":-4})",
          "s32: -1 s64: -9223372036854775808 f32: 1 f64: 2 sf32: -3 sf64: -4"},
         {R"({"i32":1.0,"i64":1e2,"u32":"1.5e1","u64":120E-1,"s32":-0,"sf32":0.0e99999999999})",
          "i32: 1 i64: 100 u32: 15 u64: 12"},
         {R"({"i64":9007199254740993.0,"u64":1844674407370955161.5e1})",
          "i64: 9007199254740993 u64: 18446744073709551615"},
         {R"({"i32":2147483648})", nullptr, "i32: expected an integer from -2147483648 to"},
         {R"({"i64":9223372036854775808})", nullptr, "found the number 9223372036854775808"},
         {R"({"u64":18446744073709551616})", nullptr, "u64: expected an integer from 0 to"},
         {R"({"u32":-1})", nullptr, "u32: expected an integer from 0 to 4294967295, found"},
         {R"({"u32":4294967296})", nullptr, "u32"},
         {R"({"s32":1.5})", nullptr, "found the number 1.5"},
         {R"({"s32":1e-1})", nullptr, "found the number 1e-1"},
         {R"({"s32":1e999999999999})", nullptr, "s32"},
         {R"({"i32":01})", nullptr, "i32"},
         {R"({"i32":+1})", nullptr, "i32"},
         {R"({"i32":"" })", nullptr, "found the string \"\""},
         {R"({"i32":" 1"})", nullptr, "i32"},
         {R"({"i32":true})", nullptr, "found true"},
         {R"({"i32":[1]})", nullptr, "found a list"},
         {R"({"i32":{}})", nullptr, "found an object"},
         {R"({"i32":1x})", nullptr, "found the number 1x"}});
}

TEST_CASE("json: floating point has its special values as text") {
  const Schema schema(proto);
  check(schema, "t.All",
        {{R"({"d":0.1,"f":0.1})", "d: 0.1 f: 0.1"},
         {R"({"d":"1.5e3","f":-2})", "d: 1500 f: -2"},
         {R"({"d":"NaN","f":"NaN"})", "d: nan f: nan"},
         {R"({"d":"Infinity","f":"-Infinity"})", "d: inf f: -inf"},
         {R"({"d":1e-500,"f":-1e-60})", "d: 0 f: -0"},
         {R"({"d":0.00000000000000000000000000000000001e-400})", "d: 0"},
         {R"({"d":5e-324,"f":1e-45})", "d: 5e-324 f: 1e-45"},
         {R"({"d":1.7976931348623157e308,"f":3.4028235e38})",
          "d: 1.7976931348623157e+308 f: 3.4028235e+38"},
         {R"({"d":1e309})", nullptr, "d: expected a number in the range of double"},
         {R"({"d":100000e305})", nullptr, "d: expected a number in the range of double"},
         {R"({"f":3.5e38})", nullptr, "f: expected a number in the range of float"},
         {R"({"d":"inf"})", nullptr, "d: expected a number"},
         {R"({"d":NaN})", nullptr, "found NaN"},
         {R"({"d":.5})", nullptr, "d"},
         {R"({"d":5.})", nullptr, "d"},
         {R"({"d":0x10})", nullptr, "d"},
         {R"({"d":"0x10"})", nullptr, "d"}});
}

TEST_CASE("json: bool string bytes and enum") {
  const Schema schema(proto);
  check(
      schema, "t.All",
      {{R"({"b":true})", "b: true"},
       {R"({"b":"true"})", nullptr, "b: expected true or false, found the string"},
       {R"({"b":tru})", nullptr, "b: expected true or false, found tru"},
       {R"({"b":1})", nullptr, "found the number 1"},
       {R"({"s":"a\n\u00e9\ud83d\ude00\u0000\/"})", R"(s: "a\n\303\251\360\237\230\200\000/")"},
       {R"({"\u0073":"x","\u0069\u00332":1})", R"(s: "x" i32: 1)"},
       {R"({"s":"\ud83d"})", nullptr, "s: "},
       {R"({"s":"\ude00"})", nullptr, "s: "},
       {R"({"s":"\q"})", nullptr, "escape"},
       {"{\"s\":\"\xff\"}", nullptr, "UTF-8"},
       {"{\"s\":\"a\nb\"}", nullptr, "control character"},
       {R"({"s":5})", nullptr, "s: expected a string, found the number 5"},
       {R"({"by":"AP+/"})", R"(by: "\000\377\277")"},
       {R"({"by":"AP-_"})", R"(by: "\000\377\277")"},
       {R"({"by":"YQ==","s":"x"})", R"(by: "a" s: "x")"},
       {R"({"by":"YQ"})", R"(by: "a")"},
       {R"({"by":"YWI="})", R"(by: "ab")"},
       {R"({"by":""})", ""},
       {R"({"by":"YQ="})", nullptr, "by: expected a string of base64"},
       {R"({"by":"Y"})", nullptr, "by"},
       {R"({"by":"Y Q="})", nullptr, "by"},
       {R"({"by":"+-+-"})", nullptr, "by"},
       {R"({"color":"DEEP_BLUE"})", "color: DEEP_BLUE"},
       {R"({"color":-1})", "color: MINUS"},
       {R"({"color":77})", "color: 77"},
       {R"({"color":"RED","colors":["RED",2,"NONE"]})", "color: RED colors: [RED,DEEP_BLUE,NONE]"},
       {R"({"color":"DEEP_BLU"})", nullptr, "did you mean \"DEEP_BLUE\"?"},
       {R"({"color":"PINK"})", nullptr, "color: expected a value of the enum t.Color"},
       {R"({"color":"PINK","colors":["RED","PINK"],"i32":1})", "i32: 1 colors: RED", "", true},
       {R"({"color":"1"})", "color: RED"},
       {R"({"color":"77"})", nullptr, "color"},
       {R"({"color":1.5})", nullptr, "color"}});
}

TEST_CASE("json: messages lists maps and oneofs") {
  const Schema schema(proto);
  check(
      schema, "t.All",
      {{R"({"inner":{"name":"a","child":{"child":{"age":3}}}})",
        R"(inner { name: "a" child { child { age: 3 } } })"},
       {R"({"inner":{}})", "inner {}"},
       {R"({"numbers":[1,"2",3.0],"loose":[4,5],"words":["a",""]})",
        R"(numbers: [1,2,3] loose: [4,5] words: ["a",""])"},
       {R"({"numbers":[],"words":[],"inners":[{},{"age":1}]})", "inners {} inners { age: 1 }"},
       {R"({"counts":{"a":1,"":2},"people":{"-5":{"age":1}},"flags":{"true":"x","false":""}})",
        R"(counts { key: "" value: 2 } counts { key: "a" value: 1 } people { key: -5 value { age: 1 } }
             flags { key: false value: "" } flags { key: true value: "x" })"},
       {R"({"blobs":{"18446744073709551615":"YQ=="}})",
        R"(blobs { key: 18446744073709551615 value: "a" })"},
       {R"({"text":"x"})", R"(text: "x")"},
       {R"({"text":null,"number":0})", "number: 0"},
       {R"({"nothing":null})", "nothing: NULL_VALUE"},
       {R"({"maybe":0})", "maybe: 0"},
       {R"({"snakeCaseName":1})", "snake_case_name: 1"},
       {R"({"snake_case_name":1,"oTHer":2})", "snake_case_name: 1 other: 2"},
       {R"({"other":2})", "other: 2"},
       {R"({"i32":null,"numbers":null,"counts":null,"inner":null,"time":null,"wrapped":null})", ""},
       {R"({"text":"x","number":1})", nullptr,
        "number: expected at most one field of the oneof \"choice\""},
       {R"({"text":"x","text":"y"})", nullptr, "text: expected at most one field"},
       {R"({"i32":1,"i32":2})", "i32: 2"},
       {R"({"inner":{"name":"a"},"inner":{"age":2}})", R"(inner { name: "a" age: 2 })"},
       {R"({"numbers":[1],"numbers":[2]})", "numbers: [1,2]"},
       {R"({"counts":{"a":1,"a":2}})", nullptr, "counts: the key \"a\" is there twice"},
       {R"({"counts":{"a":null}})", nullptr, "counts[\"a\"]: expected an integer"},
       {R"({"people":{"x":{}}})", nullptr, "people[\"x\"]: expected an integer from"},
       {R"({"people":{"1.0":{}}})", nullptr, "people[\"1.0\"]: expected an integer from"},
       {R"({"people":{"-0":{}}})", nullptr, "as the key, found the string \"-0\""},
       {R"({"flags":{"1":"x"}})", nullptr, "flags[\"1\"]: expected true or false as the key"},
       {R"({"numbers":[1,null]})", nullptr, "numbers[1]: expected an integer"},
       {R"({"numbers":1})", nullptr, "numbers: expected a list, found the number 1"},
       {R"({"counts":[]})", nullptr, "counts: expected an object (a map), found a list"},
       {R"({"inners":[{"age":1},{"child":{"age":"x"}}]})", nullptr,
        "inners[1].child.age: expected"},
       {R"({"people":{"7":{"child":{"nam":1}}}})", nullptr,
        "people[\"7\"].child: the message t.Inner has no field \"nam\"; did you mean \"name\"?"},
       {R"({"nope":1})", nullptr, "the record: the message t.All has no field \"nope\""},
       {R"({"nope":{"a":[1,{"b":"\n"},null,true,-1.5e3]},"i32":1})", "i32: 1", "", true},
       {R"({"nope":[1,,2]})", nullptr, "nope", true},
       {R"({"nope":"\q"})", nullptr, "nope", true},
       {R"({"nope":{"\q":1}})", nullptr, "nope", true},
       {R"({"nope":01})", nullptr, "nope", true},
       {R"({"nope":nulL})", nullptr, "nope", true},
       {R"({"inner":{"nope":1,"age":2}})", "inner { age: 2 }", "", true}});
}

TEST_CASE("json: well known types have their own forms") {
  const Schema schema(proto);
  check(
      schema, "t.All",
      {{R"({"time":"1970-01-01T00:00:01Z"})", "time { seconds: 1 }"},
       {R"({"time":"1969-12-31T23:59:59.5Z"})", "time { seconds: -1 nanos: 500000000 }"},
       {R"({"time":"2024-02-29T12:00:00.123456789+02:30"})",
        "time { seconds: 1709199000 nanos: 123456789 }"},
       {R"({"time":"0001-01-01T00:00:00Z"})", "time { seconds: -62135596800 }"},
       {R"({"time":"9999-12-31T23:59:59.999999999Z"})",
        "time { seconds: 253402300799 nanos: 999999999 }"},
       {R"({"time":"0001-01-01T00:00:00+00:01"})", nullptr, "time: expected a time such as"},
       {R"({"time":"2023-02-29T12:00:00Z"})", nullptr, "time"},
       {R"({"time":"2023-02-28 12:00:00Z"})", nullptr, "time"},
       {R"({"time":"2023-02-28T12:00:00"})", nullptr, "time"},
       {R"({"time":"2023-02-28T12:00:60Z"})", nullptr, "time"},
       {R"({"time":"2023-02-28T12:00:00.Z"})", nullptr, "time"},
       {R"({"time":"2023-02-28T12:00:00.1234567890Z"})", nullptr, "time"},
       {R"({"time":1234})", nullptr, "time: expected a time such as"},
       {R"({"times":["1970-01-01T00:00:00Z"]})", "times {}"},
       {R"({"span":"-1.5s"})", "span { seconds: -1 nanos: -500000000 }"},
       {R"({"span":"-0.000000001s"})", "span { nanos: -1 }"},
       {R"({"span":"315576000000s"})", "span { seconds: 315576000000 }"},
       {R"({"span":"315576000001s"})", nullptr, "span: expected a duration"},
       {R"({"span":"1"})", nullptr, "span"},
       {R"({"span":".5s"})", nullptr, "span"},
       {R"({"wrapped":"5","wrappedText":"x","wrappeds":[1,0],"wrapped_bytes":"YQ"})",
        R"(wrapped { value: 5 } wrapped_text { value: "x" } wrappeds { value: 1 } wrappeds {}
             wrapped_bytes { value: "a" })"},
       {R"({"wrapped":"x"})", nullptr, "wrapped: expected an integer from"},
       {R"({"structure":{"a":1,"b":[true,null,"x",{}]}})",
        R"(structure { fields { key: "a" value { number_value: 1 } }
             fields { key: "b" value { list_value { values { bool_value: true }
             values { null_value: NULL_VALUE } values { string_value: "x" }
             values { struct_value {} } } } } })"},
       {R"({"structure":{"a":1,"a":1}})", nullptr, "structure: the key \"a\" is there twice"},
       {R"({"structure":[]})", nullptr, "structure: expected an object"},
       {R"({"structure":{"a":[1,x]}})", nullptr, "structure.a[1]: expected a JSON value, found x"},
       {R"({"value":null})", "value { null_value: NULL_VALUE }"},
       {R"({"value":1e400})", nullptr, "value"},
       {R"({"list":[],"anyList":[null,1]})",
        "list {} any_list { null_value: NULL_VALUE } any_list { number_value: 1 }"},
       {R"({"values":{"a":null}})", R"(values { key: "a" value { null_value: NULL_VALUE } })"},
       {R"({"any":{"@type":"type.googleapis.com/t.Inner","name":"x"}})",
        R"(any { [type.googleapis.com/t.Inner] { name: "x" } })"},
       {R"({"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}})",
        R"(any { [type.googleapis.com/google.protobuf.Duration] { seconds: 1 } })"},
       {R"({"any":{"@type":"type.googleapis.com/no.Such"}})", nullptr,
        "any: \"@type\": expected the URL of a message type"},
       {R"({"any":{'a':1}})", nullptr, "any"},
       {R"({"mask":"a.bC,d"})", R"(mask { paths: "a.b_c" paths: "d" })"},
       {R"({"empty":{}})", "empty {}"}});
}

TEST_CASE("json: broken documents are refused") {
  const Schema schema(proto);
  check(schema, "t.All",
        {{"", nullptr, "the record: expected JSON, but it is empty"},
         {"   ", nullptr, "the record: expected JSON, but it is empty"},
         {"null", nullptr, "expected the JSON form of t.All, found null"},
         {"[]", nullptr, "expected the JSON form of t.All, found a list"},
         {"5", nullptr, "found the number 5"},
         {"{", nullptr, "bracket"},
         {"}", nullptr, "the record"},
         {R"({"i32":1)", nullptr, "bracket"},
         {R"({"i32":1]})", nullptr, "bracket"},
         {R"({"i32":1}})", nullptr, "expected nothing after"},
         {R"({"i32":1} {})", nullptr, "expected nothing after"},
         {R"({"i32":1,})", nullptr, "the record"},
         {R"({"i32" 1})", nullptr, "the record"},
         {R"({"i32":})", nullptr, "i32: expected an integer"},
         {R"({"i32":1 "u32":2})", nullptr, "the record"},
         {R"({"s":"a":1})", nullptr, "the record"},
         {R"({"i32":1:2})", nullptr, "the record"},
         {R"({i32:1})", nullptr, "the record"},
         {R"({'i32':1})", nullptr, "the record"},
         {R"({"inner":{"age":1})", nullptr, "bracket"},
         {R"({"inner":{"age":1]}})", nullptr, "bracket"},
         {R"({"numbers":[1})", nullptr, "bracket"},
         {R"({"numbers":[1}})", nullptr, "bracket"},
         {R"({"numbers":[1,]})", nullptr, "numbers[1]: expected an integer"},
         {R"({"s":"abc})", nullptr, "a string is not closed"},
         {R"({/* */"i32":1})", nullptr, "the record"},
         {"\xef\xbb\xbf{}", nullptr, "the record"}});
}

TEST_CASE("json: nesting ends at the limit") {
  const Schema schema(proto);
  const auto nested = [](int levels) {
    std::string json;
    for (int i = 1; i < levels; ++i) json += i == 1 ? R"({"inner":)" : R"({"child":)";
    return json + "{}" + std::string(static_cast<std::size_t>(levels - 1), '}');
  };
  auto decoder = make_decoder({}, schema.message("t.All"));
  REQUIRE(decoder);
  Arena arena;

  CHECK((*decoder)->decode(nested(100), arena));
  const auto deeper = (*decoder)->decode(nested(101), arena);
  REQUIRE_FALSE(deeper);
  CHECK(deeper.error().message.find("100 levels") != std::string::npos);

  // A Struct costs several messages a level; what comes out must still parse.
  const auto lists = [](std::size_t levels) {
    return R"({"value":)" + std::string(levels, '[') + std::string(levels, ']') + "}";
  };
  const auto wire = (*decoder)->decode(lists(50), arena);
  REQUIRE(wire);
  CHECK(schema.parse(schema.message("t.All"), *wire) != nullptr);
  const auto wide = (*decoder)->decode(lists(60), arena);
  REQUIRE_FALSE(wide);
  CHECK(wide.error().message.find("100 messages inside each other") != std::string::npos);
}

TEST_CASE("json: a root that is not an object in JSON works too") {
  const Schema schema(proto);
  check(schema, "google.protobuf.Timestamp",
        {{R"("1970-01-01T00:00:01Z")", "seconds: 1"},
         {"5", nullptr, "the record: expected a time"},
         {R"("1970-01-01T00:00:01Z",1)", nullptr, "the record"},
         {"", nullptr, "the record"},
         {R"("1970-01-01T00:00:01Z"],[1)", nullptr, "the record"}});
  check(schema, "google.protobuf.Int64Value", {{" 7 ", "value: 7"}, {"x", nullptr, "the record"}});
  check(schema, "google.protobuf.Struct",
        {{R"({"a":1})", R"(fields { key: "a" value { number_value: 1 } })"},
         {"[]", nullptr, "the record: expected an object"}});
  check(schema, "google.protobuf.Value", {{"[1]", "list_value { values { number_value: 1 } }"}});
  check(schema, "google.protobuf.ListValue", {{"[]", ""}});
  check(schema, "google.protobuf.Any",
        {{R"({"@type":"type.googleapis.com/t.Inner","age":5})",
          R"([type.googleapis.com/t.Inner] { age: 5 })"}});
}

TEST_CASE("json: proto2 has required fields and groups") {
  const Schema schema(R"(
    syntax = "proto2"; package p;
    enum E { A = 1; B = 2; }
    message M {
      required string id = 1; optional int32 n = 2 [default = 7]; optional E e = 3;
      repeated group Item = 4 { required int32 sku = 1; optional M m = 2; }
      repeated int32 plain = 5; repeated int32 tight = 6 [packed = true]; extensions 100 to 200;
    })");
  check(schema, "p.M",
        {{R"({"id":""})", R"(id: "")"},
         {R"({})", nullptr, "the record: required field missing: id"},
         {R"({"id":null})", nullptr, "required field missing: id"},
         {R"({"id":"x","n":7,"e":"B","plain":[1,2],"tight":[3]})",
          R"(id: "x" n: 7 e: B plain: [1,2] tight: 3)"},
         {R"({"id":"x","item":[{"sku":1},{"sku":2,"m":{"id":"y"}}]})",
          R"(id: "x" Item { sku: 1 } Item { sku: 2 m { id: "y" } })"},
         {R"({"id":"x","item":[{"sku":1},{}]})", nullptr, "item[1]: required field missing: sku"},
         {R"({"id":"x","[p.ext]":1})", nullptr, "no field \"[p.ext]\""}});
}

}  // namespace weir::host
