#include "decode/decoder.hpp"

#include <doctest/doctest.h>

#include <string>

#include "base/limits.hpp"
#include "decode/schema.hpp"

namespace weir::host {
namespace {

using test::Schema;

constexpr std::string_view proto = R"(
syntax = "proto3"; package t;
message Line { string sku = 1; int32 count = 2; }
message User { string id = 1; string mail_address = 2; }
message Order {
  User user = 1; repeated Line lines = 2; map<string, Line> by_name = 3; int32 total = 4;
  google.protobuf.Timestamp at = 5;
}
)";

Result<std::string> decode(const Schema& schema, const Format& format, std::string_view value) {
  WEIR_TRY(auto decoder, make_decoder(format, schema.message("t.Order")));
  Arena arena;
  WEIR_TRY(const std::string_view wire, decoder->decode(value, arena));
  return std::string(wire);
}

}  // namespace

TEST_CASE("decoder: a format that cannot make the message is a configuration error") {
  const Schema schema(proto);
  const auto* order = schema.message("t.Order");

  for (const auto kind : {Format::Kind::text, Format::Kind::bytes}) {
    const auto made = make_decoder({.kind = kind}, order);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Errc::config);
    CHECK(made.error().message.find("t.Order") != std::string::npos);
    CHECK(make_decoder({.kind = kind}, nullptr));
    CHECK(make_decoder({.kind = kind, .required = {"user"}}, nullptr).error().code == Errc::config);
  }
  for (const auto kind : {Format::Kind::json, Format::Kind::protobuf}) {
    const auto made = make_decoder({.kind = kind}, nullptr);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Errc::config);
    CHECK(made.error().message.find("format: text or format: bytes") != std::string::npos);
  }
}

TEST_CASE("decoder: required must name fields") {
  const Schema schema(proto);
  const auto* order = schema.message("t.Order");
  const auto reason = [&](const char* path) {
    const auto made = make_decoder({.required = {path}}, order);
    if (made) return std::string("accepted");
    CHECK(made.error().code == Errc::config);
    return made.error().message;
  };

  CHECK(reason("user.mail_address") == "accepted");
  CHECK(reason("user.mailAddress") == "accepted");
  CHECK(reason("lines.sku") == "accepted");
  CHECK(reason("usr").find("the message t.Order has no field \"usr\"") != std::string::npos);
  CHECK(reason("user.name").find("the message t.User has no field \"name\"") != std::string::npos);
  CHECK(reason("total.x").find("not a message") != std::string::npos);
  CHECK(reason("by_name.sku").find("a map") != std::string::npos);
  CHECK(reason("at.seconds").find("google.protobuf.Timestamp") != std::string::npos);
  CHECK(reason("").find("no field \"\"") != std::string::npos);
}

TEST_CASE("decoder: a missing required field is named with its place") {
  const Schema schema(proto);
  const Format format{.required = {"user.id", "lines.sku", "total"}};
  const auto reason = [&](const char* json) {
    const auto wire = decode(schema, format, json);
    return wire ? std::string("accepted") : wire.error().message;
  };

  CHECK(reason(R"({"user":{"id":"u"},"lines":[{"sku":"a"}],"total":0})") == "accepted");
  CHECK(reason(R"({"user":{"id":"u"},"lines":[],"total":0})") == "accepted");
  CHECK(reason(R"({"user":{"id":"u"},"lines":[]})") == "the record: required field missing: total");
  CHECK(reason(R"({})") == "the record: required fields missing: user, lines, total");
  CHECK(reason(R"({"user":{},"lines":[],"total":0})") == "user: required field missing: id");
  CHECK(reason(R"({"user":{"id":"u"},"lines":[{"sku":"a"},{}],"total":0})") ==
        "lines[1]: required field missing: sku");
}

TEST_CASE("decoder: required works on wire bytes and sees a message that came in pieces") {
  const Schema schema(proto);
  const auto* order = schema.message("t.Order");
  const Format format{.kind = Format::Kind::protobuf, .required = {"user.id", "user.mail_address"}};
  const auto wire = [&](const char* text) {
    return schema.from_text(order, text)->SerializeAsString();
  };

  CHECK(decode(schema, format, wire(R"(user { id: "u" mail_address: "m" })")));
  CHECK(decode(schema, format, wire(R"(user { id: "u" })")).error().message ==
        "user: required field missing: mail_address");
  CHECK(decode(schema, format, "").error().message == "the record: required field missing: user");
  CHECK(
      decode(schema, format, wire(R"(user { id: "u" })") + wire(R"(user { mail_address: "m" })")));
}

TEST_CASE("decoder: protobuf gives the value itself") {
  const Schema schema(proto);
  const auto* order = schema.message("t.Order");
  const std::string value = schema.from_text(order, "total: 5")->SerializeAsString();
  auto decoder = make_decoder({.kind = Format::Kind::protobuf}, order);
  REQUIRE(decoder);
  Arena arena;

  const auto wire = (*decoder)->decode(value, arena);
  REQUIRE(wire);
  CHECK(wire->data() == value.data());
  CHECK(arena.bytes() == 0);
}

TEST_CASE("decoder: text is UTF-8 and bytes are anything") {
  Arena arena;
  auto text = make_decoder({.kind = Format::Kind::text}, nullptr);
  auto bytes = make_decoder({.kind = Format::Kind::bytes}, nullptr);
  REQUIRE(text);
  REQUIRE(bytes);

  CHECK(*(*text)->decode("gr\xc3\xbc\xc3\x9f", arena) == "gr\xc3\xbc\xc3\x9f");
  CHECK(*(*text)->decode("", arena) == "");
  CHECK((*text)->decode("\xff", arena).error().message ==
        "the record: expected text in UTF-8, found other bytes");
  CHECK(*(*bytes)->decode("\xff", arena) == "\xff");
}

TEST_CASE("decoder: a value beyond the limit is refused before it is read") {
  const Schema schema(proto);
  const std::string big(value_bytes_max + 1, ' ');
  for (const auto kind : {Format::Kind::json, Format::Kind::protobuf}) {
    const auto wire = decode(schema, {.kind = kind}, big);
    REQUIRE_FALSE(wire);
    CHECK(wire.error().message.find("67108864") != std::string::npos);
  }
  auto bytes = make_decoder({.kind = Format::Kind::bytes}, nullptr);
  Arena arena;
  CHECK_FALSE((*bytes)->decode(big, arena));
}

TEST_CASE("decoder: an error leaves nothing behind for the next record") {
  const Schema schema(proto);
  auto decoder = make_decoder({}, schema.message("t.Order"));
  REQUIRE(decoder);
  Arena arena;
  const std::string good = R"({"user":{"id":"u"},"byName":{"a":{"count":1}}})";
  const std::string first(*(*decoder)->decode(good, arena));

  for (const char* bad : {R"({"byName":{"a":{"count":x}}})", R"({"user":{"id":1}})", "", "{",
                          R"({"lines":[{"sku":"a"},{"sku":2}]})"}) {
    CHECK_FALSE((*decoder)->decode(bad, arena));
    CHECK(*(*decoder)->decode(good, arena) == first);
  }
}

TEST_CASE("decoder: a large record is decoded whole and small ones after it too") {
  const Schema schema(proto);
  auto decoder = make_decoder({}, schema.message("t.Order"));
  REQUIRE(decoder);
  Arena arena;
  const std::string name(3'000'000, 'n');
  const auto wire = (*decoder)->decode(R"({"user":{"id":")" + name + R"("}})", arena);
  REQUIRE(wire);
  const auto message = schema.parse(schema.message("t.Order"), *wire);
  REQUIRE(message != nullptr);
  CHECK(test::same(
      *message, *schema.from_text(schema.message("t.Order"), R"(user { id: ")" + name + R"(" })")));
  CHECK((*decoder)->decode(R"({"total":1})", arena));
}

}  // namespace weir::host
