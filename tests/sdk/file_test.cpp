// What stands in a plugin's file, before any of its code runs.
#include <doctest/doctest.h>
#include <google/protobuf/stubs/common.h>
#include <weir/abi.h>
#include <weir/version.h>

#include <algorithm>
#include <string>

#include "section.hpp"

using namespace weir::test;

TEST_SUITE_BEGIN("sdk");

TEST_CASE("the manifest says what the signatures and words say") {
  const auto manifest = read_section(KITCHEN_SO, WEIR_MANIFEST_SECTION);

  REQUIRE(manifest.has_value());
  const std::string expected =
      "weir.manifest/1\n"
      "abi 1.0\n"
      "sdk " WEIR_SDK_VERSION
      "\n"
      "protobuf " +
      std::to_string(GOOGLE_PROTOBUF_VERSION) +
      "\n"
      "plugin kitchen 2.1.0-rc1\n"
      "resolver tally\n"
      "message kitchen.Item\n"
      "state kitchen.Tally 1\n"
      "feature features kitchen.Count\n"
      "resolver answer\n"
      "message kitchen.Item\n"
      "state kitchen.Tally 1\n"
      "feature features kitchen.Count\n"
      "resolver many\n"
      "message kitchen.Item\n"
      "feature features kitchen.Count\n"
      "resolver outs\n"
      "message kitchen.Item\n"
      "feature inner kitchen.Count_Inner\n"
      "feature counts kitchen.Count\n"
      "feature needies shelf.Needy\n"
      "resolver effects_only\n"
      "message kitchen.Item\n"
      "state kitchen.Tally 1\n"
      "resolver read_record\n"
      "feature texts kitchen.Count\n"
      "resolver read_view\n"
      "feature features kitchen.Count\n"
      "resolver pick\n"
      "message kitchen.Event\n"
      "feature features kitchen.Count\n"
      "resolver from_record\n"
      "feature features kitchen.Count\n"
      "resolver marked\n"
      "message kitchen.Event\n"
      "feature features kitchen.Count\n"
      "resolver configured\n"
      "message kitchen.Item\n"
      "state kitchen.Tally 1\n"
      "settings kitchen.Settings\n"
      "feature features kitchen.Count\n"
      "resolver timed\n"
      "message kitchen.Item\n"
      "state kitchen.Tally 1\n"
      "timers arrival\n"
      "feature counts kitchen.Count\n"
      "feature more kitchen.Count\n"
      "feature inners kitchen.Count_Inner\n"
      "feature tallies kitchen.Tally\n"
      "resolver quiet\n"
      "message kitchen.Item\n"
      "state kitchen.Tally 1\n"
      "timers arrival\n"
      "resolver migrated\n"
      "message kitchen.Item\n"
      "state kitchen.Tally 3 2\n"
      "feature features kitchen.Count\n"
      "resolver lambda\n"
      "message kitchen.Item\n"
      "feature features kitchen.Count\n";
  CHECK(*manifest == expected + '\0');
}

TEST_CASE("a stripped file keeps its manifest and its schemas") {
  for (const char* section : {WEIR_MANIFEST_SECTION, WEIR_SCHEMAS_SECTION}) {
    const auto whole = read_section(KITCHEN_SO, section);
    REQUIRE(whole.has_value());
    CHECK(read_section(KITCHEN_STRIPPED_SO, section) == whole);
  }
}

TEST_CASE("the schemas hold every type and what it imports") {
  const auto schemas = read_section(KITCHEN_SO, WEIR_SCHEMAS_SECTION);
  REQUIRE(schemas.has_value());
  for (const char* name : {"kitchen.proto", "shelf/needy.proto", "google/protobuf/timestamp.proto",
                           "Tally", "Settings", "Needy"}) {
    CAPTURE(name);
    CHECK(schemas->find(name) != std::string::npos);
  }
}

TEST_CASE("a plugin exports its entry and nothing else") {
  for (const char* path : {KITCHEN_SO, KITCHEN_STRIPPED_SO, COUNTER_1_SO, PLAIN_C_SO}) {
    CAPTURE(path);
    const auto symbols = exported_symbols(path);
    REQUIRE(symbols.size() == 1);
    CHECK(symbols[0].name == WEIR_ENTRY_SYMBOL);
    CHECK_FALSE(symbols[0].unique);
  }
}

TEST_CASE("a plugin in C has a manifest and schemas too") {
  const auto manifest = read_section(PLAIN_C_SO, WEIR_MANIFEST_SECTION);
  REQUIRE(manifest.has_value());
  CHECK(manifest->find("state plain_c.Totals 1\n") != std::string::npos);
  const auto schemas = read_section(PLAIN_C_SO, WEIR_SCHEMAS_SECTION);
  REQUIRE(schemas.has_value());
  CHECK(schemas->find("Totals") != std::string::npos);
}
