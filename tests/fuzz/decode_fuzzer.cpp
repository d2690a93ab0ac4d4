// libFuzzer over every format: the first byte chooses the decoder, the rest is the record. Aborts
// when a refusal has no reason, or when what comes out does not parse.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include <google/protobuf/stubs/logging.h>

#include "decode/decoder.hpp"
#include "decode/schema.hpp"

namespace weir::host {
namespace {

constexpr std::string_view proto = R"(
syntax = "proto2"; package f;
enum E { A = 0; B = 1; }
message M {
  optional int32 i = 1; optional sint64 s = 2; optional double d = 3; optional string t = 4;
  optional bytes b = 5; optional E e = 6; optional M m = 7; repeated int32 l = 8;
  repeated fixed64 p = 9 [packed = true]; map<string, M> k = 10; map<int32, E> n = 11;
  oneof o { bool x = 12; float y = 13; } optional group G = 14 { required uint32 r = 1; }
  optional google.protobuf.Timestamp ts = 15; optional google.protobuf.Duration du = 16;
  optional google.protobuf.Struct st = 17; optional google.protobuf.Value va = 18;
  optional google.protobuf.Any an = 19; optional google.protobuf.FieldMask fm = 20;
  optional google.protobuf.Int64Value w = 21;
}
)";

/// The decoders that a run goes on using, as a task does.
struct Decoders {
  test::Schema schema{proto};
  const google::protobuf::Descriptor* type = schema.message("f.M");
  google::protobuf::LogSilencer silence;
  std::array<std::unique_ptr<Decoder>, 7> all{
      make({.kind = Format::Kind::json}),
      make({.kind = Format::Kind::json, .ignore_unknown_fields = true}),
      make({.kind = Format::Kind::json, .required = {"m.i", "k", "t"}}),
      make({.kind = Format::Kind::protobuf}),
      make({.kind = Format::Kind::protobuf, .required = {"m.i", "g.r"}}),
      make({.kind = Format::Kind::protobuf, .framing = Format::Framing::confluent}),
      *make_decoder({.kind = Format::Kind::text}, nullptr)};

  std::unique_ptr<Decoder> make(const Format& format) { return *make_decoder(format, type); }
};

}  // namespace
}  // namespace weir::host

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static weir::host::Decoders decoders;
  if (size == 0) return 0;
  const std::size_t which = data[0] % decoders.all.size();
  const std::string_view record(reinterpret_cast<const char*>(data) + 1, size - 1);
  weir::host::Arena arena;
  const auto wire = decoders.all[which]->decode(record, arena);
  if (!wire) {
    if (wire.error().message.empty()) std::abort();
    return 0;
  }
  if (which < 5 && decoders.schema.parse(decoders.type, *wire) == nullptr) std::abort();
  return 0;
}
