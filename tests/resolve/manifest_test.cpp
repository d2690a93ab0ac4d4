#include "resolve/manifest.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

namespace weir::host {

namespace {

constexpr std::string_view good =
    "weir.manifest/1\n"
    "abi 1.0\n"
    "sdk 0.1.0\n"
    "protobuf 3021012\n"
    "plugin visits 1.2.0-rc1\n"
    "resolver count_ips\n"
    "message weir.Visit\n"
    "state weir.Outer_Ips 3\n"
    "settings Settings\n"
    "timers arrival\n"
    "feature features weir.UniqueIps\n"
    "feature alerts weir.Alert\n"
    "resolver raw\n";

std::string replaced(std::string_view what, std::string_view with) {
  std::string text(good);
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

}  // namespace

TEST_CASE("manifest: every statement arrives") {
  const auto manifest = parse_manifest(good);

  REQUIRE(manifest);
  CHECK(manifest->abi_major == 1);
  CHECK(manifest->abi_minor == 0);
  CHECK(manifest->sdk_version == "0.1.0");
  CHECK(manifest->protobuf_version == 3021012);
  CHECK(manifest->plugin == "visits");
  CHECK(manifest->version == "1.2.0-rc1");
  REQUIRE(manifest->resolvers.size() == 2);
  const auto* resolver = manifest->find("count_ips");
  REQUIRE(resolver == &manifest->resolvers[0]);
  CHECK(resolver->message_type == "weir.Visit");
  CHECK(resolver->state_type == "weir.Outer_Ips");
  CHECK(resolver->state_version == 3);
  CHECK(resolver->settings_type == "Settings");
  CHECK(resolver->timers);
  REQUIRE(resolver->features.size() == 2);
  CHECK(resolver->features[1].name == "alerts");
  CHECK(resolver->features[1].type == "weir.Alert");
  CHECK(manifest->resolvers[1].message_type.empty());
  CHECK(manifest->find("nobody") == nullptr);
}

TEST_CASE("manifest: each fault names its line and what was expected and found") {
  struct Case {
    std::string text;
    std::string_view message;
  };
  const Case cases[] = {
      {"", "manifest line 1: expected \"weir.manifest/1\", found the end of the text"},
      {replaced("manifest/1", "manifest/2"),
       "manifest line 1: expected \"weir.manifest/1\", found \"weir.manifest/2\""},
      {replaced("abi 1.0", "abi 1"),
       "manifest line 2: \"abi\" needs a version such as 1.0, not \"1\", found \"abi 1\""},
      {replaced("abi 1.0", "abi 01.0"), "needs a version such as 1.0, not \"01.0\""},
      {replaced("abi 1.0\n", ""), "manifest line 2: expected \"abi\", found \"sdk 0.1.0\""},
      {replaced("sdk 0.1.0", "sdk  0.1.0"), "expected \"sdk\" and 1 word parted by single spaces"},
      {replaced("protobuf 3021012", "protobuf 3.21"), "GOOGLE_PROTOBUF_VERSION or 0"},
      {replaced("plugin visits", "plugin Visits"), "\"plugin\" needs a name"},
      {replaced("plugin visits 1.2.0-rc1", "plugin visits"), "\"plugin\" and 2 words"},
      {replaced("resolver raw", "resolver count_ips"), "a second resolver is named \"count_ips\""},
      {replaced("feature alerts", "feature features"), "a second feature is named \"features\""},
      {replaced("weir.Visit", "weir..Visit"), "\"message\" needs a message type"},
      {replaced("weir.Visit", ".weir.Visit"), "\"message\" needs a message type"},
      {replaced("weir.Visit", "weir.Visit."), "\"message\" needs a message type"},
      {replaced("Ips 3", "Ips 0"), "a State version from 1 to 65535, not \"0\""},
      {replaced("Ips 3", "Ips 65536"), "a State version from 1 to 65535"},
      {replaced("Ips 3", "Ips 3 4"), "the oldest State version that reads it, 1 to its own"},
      {replaced("Ips 3", "Ips 3 0"), "the oldest State version that reads it, 1 to its own"},
      {replaced("Ips 3", "Ips 3 2 1"), "\"state\" and 2 words or 3 parted by single spaces"},
      {replaced("settings Settings\n", "settings Settings\nmessage M\n"),
       "manifest line 10: expected the next \"resolver\" or the end"},
      {replaced("timers arrival", "timers event"),
       "manifest line 10: \"timers\" needs the clock arrival, not \"event\""},
      {replaced("state weir.Outer_Ips 3\n", ""), "timers need a \"state\" line before them"},
      {replaced("resolver raw\n", "resolver raw"), "the last line has no line end"},
      {std::string(good) + "\n", "expected the next \"resolver\" or the end"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    const auto manifest = parse_manifest(one.text);
    REQUIRE_FALSE(manifest);
    CAPTURE(manifest.error().message);
    CHECK(manifest.error().code == Errc::invalid);
    CHECK(manifest.error().message.find(one.message) != std::string::npos);
  }
}

TEST_CASE("manifest: a State says the oldest version whose code reads it") {
  CHECK(parse_manifest(good)->find("count_ips")->state_readable_by == 3);
  CHECK(parse_manifest(replaced("Ips 3", "Ips 3 2"))->find("count_ips")->state_readable_by == 2);
}

TEST_CASE("manifest: a manifest without a resolver is refused") {
  const auto manifest = parse_manifest(good.substr(0, good.find("resolver")));

  REQUIRE_FALSE(manifest);
  CHECK(manifest.error().message.find("expected \"resolver\"") != std::string::npos);
}

TEST_CASE("manifest: no mutation crashes and every refusal has a reason") {
  std::mt19937_64 random(7);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text(good);
    for (int edits = 1 + static_cast<int>(random() % 3); edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 20);
          break;
        default:
          text.insert(at, good.substr(random() % good.size(), random() % 20));
          break;
      }
      if (text.empty()) text = "\n";
    }
    const auto manifest = parse_manifest(text);
    if (manifest) continue;
    ++refused;
    REQUIRE(manifest.error().code == Errc::invalid);
    REQUIRE_FALSE(manifest.error().message.empty());
  }
  CHECK(refused > 10'000);
}

}  // namespace weir::host
