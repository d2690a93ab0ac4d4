#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>

#include "decode/decoder.hpp"
#include "decode/random_schema.hpp"
#include "decode/schema.hpp"

namespace weir::test {
namespace {

using host::Arena;
using host::Format;

/// Valid inputs of one format for one message type.
std::vector<std::string> valid_inputs(const Schema& schema,
                                      const google::protobuf::Descriptor* type, Format::Kind kind,
                                      Random& random) {
  std::vector<std::string> out;
  for (int i = 0; i < 8; ++i) {
    const auto message = schema.make(type);
    fill(*message, random);
    std::string bytes = message->SerializeAsString();
    if (kind != Format::Kind::protobuf) {
      bytes.clear();
      google::protobuf::util::MessageToJsonString(*message, &bytes).ok();
    }
    out.push_back(bytes);
  }
  return out;
}

/// Bit flips, a cut, or the beginning of one with the end of another.
std::string mutated(const std::vector<std::string>& valid, Random& random) {
  std::string bytes = valid[random.below(valid.size())];
  switch (random.below(3)) {
    case 0:
      for (std::size_t flips = 1 + random.below(4); flips > 0 && !bytes.empty(); --flips) {
        char& hit = bytes[random.below(bytes.size())];
        hit = static_cast<char>(hit ^ (1 << random.below(8)));
      }
      return bytes;
    case 1:
      return bytes.substr(0, random.below(bytes.size() + 1));
    default: {
      const std::string& other = valid[random.below(valid.size())];
      return bytes.substr(0, random.below(bytes.size() + 1)) +
             other.substr(random.below(other.size() + 1));
    }
  }
}

/// Parsers may set a known field with a foreign wire type aside; we refuse it.
bool is_stricter(const std::string& reason) {
  return reason.find("expected the wire type") != std::string::npos;
}

}  // namespace

TEST_CASE("decoder: mutated input of every format is a message or an error with a reason") {
  const std::uint64_t seed = seed_from_environment();
  std::printf("WEIR_SEED=%llu\n", static_cast<unsigned long long>(seed));
  const google::protobuf::LogSilencer silence;  // it logs every string that is not UTF-8
  Random random(seed);
  CAPTURE(seed);
  const std::size_t rounds = cases_from_environment(60'000) / 300 + 1;

  for (std::size_t round = 0; round < rounds; ++round) {
    const Schema schema(random_file(random));
    const auto* type = schema.message("r.M0");
    for (const auto kind :
         {Format::Kind::json, Format::Kind::protobuf, Format::Kind::text, Format::Kind::bytes}) {
      const bool typed = kind == Format::Kind::json || kind == Format::Kind::protobuf;
      const std::vector<std::string> valid = valid_inputs(schema, type, kind, random);
      auto decoder = host::make_decoder({.kind = kind, .ignore_unknown_fields = random.chance(50)},
                                        typed ? type : nullptr);
      REQUIRE(decoder);
      Arena arena;
      for (int i = 0; i < (typed ? 140 : 10); ++i) {
        const std::string bytes = mutated(valid, random);
        CAPTURE(bytes);
        const auto wire = (*decoder)->decode(bytes, arena);
        if (!wire) {
          REQUIRE_FALSE(wire.error().message.empty());
          REQUIRE(wire.error().code == host::Errc::invalid);
        }
        if (!typed) continue;
        if (wire) {
          REQUIRE(schema.parse(type, *wire) != nullptr);
        } else if (kind == Format::Kind::protobuf && !is_stricter(wire.error().message)) {
          REQUIRE(schema.parse(type, bytes) == nullptr);
        }
      }
    }
  }
}

}  // namespace weir::test
