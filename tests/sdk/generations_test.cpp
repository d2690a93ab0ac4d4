// Two builds of one plugin in one process: loaded side by side, and really unloaded.
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "counter.pb.h"
#include "loaded_plugin.hpp"

using namespace weir::test;

namespace {

std::string count_once(LoadedPlugin& plugin, weir_bytes from) {
  Instance count(plugin, "count");
  Prepared prepared(count, {{.value = "x"}});
  LiveState state(count, from);
  REQUIRE(resolve(count, prepared, 0, &state) == WEIR_OK);
  return state.save();
}

std::int64_t calls_of(LoadedPlugin& plugin) {
  counter::State feature;
  REQUIRE(plugin.host.features.size() == 0);  // state_save began a new call
  Instance count(plugin, "count");
  Prepared prepared(count, {{.value = "x"}});
  LiveState state(count, absent);
  REQUIRE(resolve(count, prepared, 0, &state) == WEIR_OK);
  REQUIRE(feature.ParseFromString(plugin.host.features.at(0).bytes()));
  return feature.count();
}

}  // namespace

TEST_SUITE_BEGIN("sdk");

TEST_CASE("two builds hand a State back and forth and lose nothing of it") {
  LoadedPlugin one(COUNTER_1_SO);
  LoadedPlugin two(COUNTER_2_SO);

  const std::string by_one = count_once(one, absent);
  const std::string by_two = count_once(two, bytes(by_one));
  const std::string back = count_once(one, bytes(by_two));

  counter::State state;
  REQUIRE(state.ParseFromString(back));
  CHECK(state.count() == 3);
  CHECK(state.doubled() == 4);
}

TEST_CASE("two builds share no statics") {
  LoadedPlugin one(COUNTER_1_SO);
  LoadedPlugin two(COUNTER_2_SO);

  CHECK(calls_of(one) == 1);
  count_once(one, absent);
  CHECK(calls_of(two) == 1);
  count_once(one, absent);
  CHECK(calls_of(one) == 4);
}

TEST_CASE("a plugin that was used is unmapped when it is closed") {
  for (int round = 0; round < 20; ++round) {
    auto one = std::make_unique<LoadedPlugin>(COUNTER_1_SO);
    auto two = std::make_unique<LoadedPlugin>(COUNTER_2_SO);
    count_once(*two, bytes(count_once(*one, absent)));
    one.reset();
    CHECK_FALSE(LoadedPlugin::is_mapped(COUNTER_1_SO));
    CHECK(LoadedPlugin::is_mapped(COUNTER_2_SO));
    count_once(*two, absent);
    two.reset();
    CHECK_FALSE(LoadedPlugin::is_mapped(COUNTER_2_SO));
  }
}

TEST_CASE("a plugin that threw is unmapped when it is closed") {
  {
    LoadedPlugin plugin(KITCHEN_SO);
    Instance from_record(plugin, "from_record");
    Prepared prepared(from_record, {{.value = "throw"}});
    CHECK(prepared.entries[0].verdict == WEIR_REJECT);
  }
  CHECK_FALSE(LoadedPlugin::is_mapped(KITCHEN_SO));
}
