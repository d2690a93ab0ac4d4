#include "decode/wire_check.hpp"

#include <doctest/doctest.h>
#include <google/protobuf/stubs/logging.h>

#include <string>
#include <string_view>

#include "decode/decoder.hpp"
#include "decode/schema.hpp"

namespace weir::host {
namespace {

using test::Schema;
using namespace std::string_view_literals;

constexpr std::string_view proto = R"(
syntax = "proto3"; package t;
message M {
  string name = 1; int32 count = 2; M child = 3; repeated fixed32 packed = 4; bytes raw = 5;
  map<string, string> words = 6; fixed64 wide = 7; repeated int32 numbers = 8; string far = 5000;
}
)";

std::string reason(const Schema& schema, std::string_view bytes) {
  auto decoder = make_decoder({.kind = Format::Kind::protobuf}, schema.message("t.M"));
  Arena arena;
  const auto wire = (*decoder)->decode(bytes, arena);
  const google::protobuf::LogSilencer silence;  // it logs every string that is not UTF-8
  const bool parses = schema.parse(schema.message("t.M"), bytes) != nullptr;
  if (wire) {
    CHECK(parses);
    return "accepted";
  }
  CHECK(wire.error().code == Errc::invalid);
  return wire.error().message;
}

}  // namespace

TEST_CASE("protobuf: unknown fields and both forms of lists are fine") {
  const Schema schema(proto);
  CHECK(reason(schema, "") == "accepted");
  CHECK(reason(schema,
               "\x0a\x01"
               "a\x10\x01"sv) == "accepted");
  CHECK(reason(schema,
               "\x50\x01\x5a\x01x\x61"
               "12345678\x6d"
               "1234"sv) == "accepted");
  CHECK(reason(schema, "\x53\x08\x01\x54"sv) == "accepted");
  CHECK(reason(schema,
               "\x42\x02\x01\x02\x40\x03\x22\x04"
               "1234\x25"
               "1234"sv) == "accepted");
  CHECK(reason(schema, "\x2a\x01\xff"sv) == "accepted");
  CHECK(reason(schema, "\x80\x80\x00"sv).find("there is no field 0") != std::string::npos);
}

TEST_CASE("protobuf: broken bytes are refused with the place") {
  const Schema schema(proto);
  CHECK(reason(schema,
               "\x0a\x05"
               "a"sv) == "name: expected 5 bytes, found 1 until the end (byte 2)");
  CHECK(reason(schema, "\x1a\x02\x10\x80"sv) == "child.count: a varint has no end (byte 4)");
  CHECK(reason(schema,
               "\x1a\x03\x0a\x05"
               "a"sv)
            .starts_with("child.name: expected 5 bytes"));
  CHECK(reason(schema, "\x0a\x01\xff"sv).starts_with("name: expected a string of UTF-8"));
  CHECK(reason(schema, "\x32\x03\x12\x01\xff"sv).starts_with("words.value: expected a string of"));
  CHECK(reason(schema,
               "\x22\x03"
               "123"sv)
            .starts_with("packed: expected packed values of 4 bytes"));
  CHECK(reason(schema,
               "\x39"
               "123"sv)
            .starts_with("wide: expected 8 bytes, found 3"));
  CHECK(reason(schema, "\x42\x01\x80"sv).starts_with("numbers: a varint has no end"));
  CHECK(reason(schema, "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv)
            .starts_with("count: a varint is longer than 10"));
  CHECK(reason(schema, "\x00"sv).starts_with("the record: there is no field 0"));
  CHECK(reason(schema, "\x0f"sv).starts_with("name: expected the wire type"));
  CHECK(reason(schema, "\x57"sv).starts_with("the record: there is no wire type 7"));
  CHECK(reason(schema, "\x53\x08\x01"sv).starts_with("the record: a group has no end"));
  CHECK(reason(schema, "\x54"sv).starts_with("the record: a group ends that was not begun"));
  CHECK(reason(schema, "\xff\xff\xff\xff\xff\x01"sv).find("longer than 5") != std::string::npos);
  CHECK(reason(schema, "\xc2\xb8\x02\x01\xff"sv).starts_with("far: expected a string of UTF-8"));
}

TEST_CASE("protobuf: a known field with a foreign wire type is refused") {
  const Schema schema(proto);
  CHECK(reason(schema, "\x08\x01"sv) ==
        "name: expected the wire type length-delimited, found varint; is this another message "
        "type? (byte 1)");
}

TEST_CASE("protobuf: nesting ends where the parsers end") {
  const Schema schema(proto);
  const auto* type = schema.message("t.M");
  const auto nested = [](int levels) {
    std::string bytes;
    for (int i = 0; i < levels; ++i) {
      std::string size;
      for (std::size_t rest = bytes.size(); true; rest >>= 7) {
        size += static_cast<char>(rest >= 0x80 ? rest | 0x80 : rest);
        if (rest < 0x80) break;
      }
      bytes = "\x1a" + size + bytes;
    }
    return bytes;
  };

  CHECK(reason(schema, nested(100)) == "accepted");
  CHECK(schema.parse(type, nested(101)) == nullptr);
  CHECK(reason(schema, nested(101)).find("100 messages inside each other") != std::string::npos);
}

TEST_CASE("protobuf: proto2 strings may be any bytes and groups are walked") {
  const Schema schema(R"(
    syntax = "proto2"; package t;
    message M { optional string name = 1; repeated group G = 2 { optional int32 n = 1; }
                required int32 id = 3; })");
  CHECK(reason(schema, "\x0a\x01\xff\x18\x01"sv) == "accepted");
  CHECK(reason(schema, "\x13\x08\x05\x14\x18\x01"sv) == "accepted");
  CHECK(reason(schema, "\x13\x08\x05\x18\x01"sv).starts_with("g: a group has no end"));
  CHECK(reason(schema, "\x13\x08\x05\x1c\x18\x01"sv).starts_with("g: a group ends"));
  CHECK(reason(schema, "\x0a\x01x"sv) == "the record: required field missing: id");
}

}  // namespace weir::host
