#include <doctest/doctest.h>

#include <string>

#include "decode/decoder.hpp"
#include "decode/schema.hpp"

namespace weir::host {
namespace {

using test::Schema;
using namespace std::string_literals;

constexpr const char* proto = R"(syntax = "proto3"; package t; message Order { int64 total = 1; })";

Format confluent(Format::Kind kind, std::vector<std::uint32_t> ids = {}) {
  return {.kind = kind, .framing = Format::Framing::confluent, .schema_ids = std::move(ids)};
}

Result<std::string> decode(const Format& format, std::string_view value) {
  const Schema schema(proto);
  WEIR_TRY(auto decoder, make_decoder(format, schema.message("t.Order")));
  Arena arena;
  WEIR_TRY(const std::string_view wire, decoder->decode(value, arena));
  return std::string(wire);
}

std::string reason(const Format& format, std::string_view value) {
  const auto decoded = decode(format, value);
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().code == Errc::invalid);
  return decoded.error().message;
}

const std::string five = "\x08\x05";
const std::string id_258 = "\x00\x00\x00\x01\x02"s;

}  // namespace

TEST_CASE("framing: the frame comes off whatever the id") {
  const Format json = confluent(Format::Kind::json);
  const Format protobuf = confluent(Format::Kind::protobuf);

  CHECK(*decode(json, id_258 + R"({"total": "5"})") == five);
  CHECK(*decode(protobuf, id_258 + "\x00"s + five) == five);      // the file's first message
  CHECK(*decode(protobuf, id_258 + "\x02\x06"s + five) == five);  // its fourth
  CHECK(*decode(protobuf, id_258 + "\x04\x02\x80\x02"s + five) == five);  // one inside the second
  CHECK(*decode(protobuf, id_258 + "\x00"s) == "");                       // an empty message
}

TEST_CASE("framing: a table of ids refuses those it does not have") {
  CHECK(decode(confluent(Format::Kind::json, {7, 258}), id_258 + "{}"));
  CHECK(reason(confluent(Format::Kind::json, {7, 9}), id_258 + "{}") ==
        "the record: expected a schema id of 7, 9, found 258");
  const std::string high = "\x00\xff\xff\xff\xfe"s;
  CHECK(decode(confluent(Format::Kind::json, {4294967294}), high + "{}"));
}

TEST_CASE("framing: what is not framed says so") {
  const Format json = confluent(Format::Kind::json);
  const Format protobuf = confluent(Format::Kind::protobuf);

  CHECK(reason(json, R"({"total": "5"})").find("found a first byte 123") != std::string::npos);
  CHECK(reason(json, "\x00\x01"s).find("found 2 bytes") != std::string::npos);
  CHECK(reason(json, "").find("write framing: none") != std::string::npos);
  CHECK(reason(protobuf, id_258).find("indexes of a message") != std::string::npos);
  CHECK(reason(protobuf, id_258 + "\x04\x02"s).find("indexes") != std::string::npos);
  CHECK(reason(protobuf, id_258 + "\x01"s + five).find("indexes") != std::string::npos);
  CHECK(reason(protobuf, id_258 + std::string(11, '\xff')).find("indexes") != std::string::npos);
}

TEST_CASE("framing: text and bytes have none") {
  for (const auto kind : {Format::Kind::text, Format::Kind::bytes}) {
    const auto made = make_decoder(confluent(kind), nullptr);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Errc::config);
  }
}

}  // namespace weir::host
