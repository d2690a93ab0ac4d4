// What decoding a login event costs: JSON to wire bytes, beside Protobuf's own converter, and the
// check of the same event as wire bytes.
#include <benchmark/benchmark.h>

#include <string>

#include <google/protobuf/util/json_util.h>

#include "decode/decoder.hpp"
#include "decode/schema.hpp"

namespace weir::host {
namespace {

constexpr std::string_view proto = R"(
syntax = "proto3"; package b;
message Device { string os = 1; string browser = 2; int32 version = 3; }
message Login {
  string user_id = 1; string ip = 2; int64 occurred_at = 3; bool success = 4; double latitude = 5;
  double longitude = 6; string country = 7; Device device = 8; repeated string tags = 9;
  int32 attempt = 10; string session_id = 11;
}
)";

constexpr std::string_view login =
    R"({"userId":"user-0000123456","ip":"203.0.113.77","occurredAt":"1700000000123","success":true,)"
    R"("latitude":52.520008,"longitude":13.404954,"country":"DE","device":{"os":"Linux 6.1",)"
    R"("browser":"Firefox","version":128},"tags":["web","mfa","returning"],"attempt":2,)"
    R"("sessionId":"4f3c2d1e-9a8b-4c7d-8e6f-5a4b3c2d1e0f","pad":""})";

std::string event() {
  std::string json(login);
  json.replace(json.find(",\"pad\":\"\""), 9, "");
  return json;
}

void decode_bench(benchmark::State& state, Format::Kind kind) {
  const test::Schema schema(proto);
  const auto* type = schema.message("b.Login");
  const std::string json = event();
  const std::string value = kind == Format::Kind::json
                                ? json
                                : schema.by_json_util(type, json, false)->SerializeAsString();
  auto decoder = *make_decoder({.kind = kind}, type);
  Arena arena;
  for (auto _ : state) {
    auto wire = decoder->decode(value, arena);
    if (!wire) state.SkipWithError(wire.error().message.c_str());
    benchmark::DoNotOptimize(wire);
    if (arena.bytes() > 1'000'000) arena.reset();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(value.size()));
}

void json_util_bench(benchmark::State& state) {
  const test::Schema schema(proto);
  const auto message = schema.make(schema.message("b.Login"));
  const std::string json = event();
  for (auto _ : state) {
    message->Clear();
    benchmark::DoNotOptimize(google::protobuf::util::JsonStringToMessage(json, message.get()).ok());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(json.size()));
}

BENCHMARK_CAPTURE(decode_bench, json, Format::Kind::json);
BENCHMARK_CAPTURE(decode_bench, protobuf, Format::Kind::protobuf);
BENCHMARK(json_util_bench);

}  // namespace
}  // namespace weir::host
