// The statics of a plugin: destroyed in their order when it is closed, and nothing of them stays.
#include <doctest/doctest.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

#include "allocation_count.hpp"
#include "loaded_plugin.hpp"

using namespace weir::test;

TEST_SUITE_BEGIN("sdk");

TEST_CASE("the statics of a plugin are destroyed when it is closed and the newest first") {
  std::array<int, 2> pipe_ends{};
  REQUIRE(pipe(pipe_ends.data()) == 0);
  {
    LoadedPlugin plugin(FAREWELL_SO);
    Instance remember(plugin, "remember");
    Prepared prepared(remember, {{.value = std::to_string(pipe_ends[1])}});
    REQUIRE(resolve(remember, prepared, 0) == WEIR_OK);
  }
  CHECK_FALSE(LoadedPlugin::is_mapped(FAREWELL_SO));
  close(pipe_ends[1]);

  std::string said(20, '\0');
  const ssize_t size = read(pipe_ends[0], said.data(), said.size());
  close(pipe_ends[0]);
  REQUIRE(size > 0);
  said.resize(static_cast<std::size_t>(size));
  CHECK(said == "facLe21");
}

TEST_CASE("builds that take turns leave nothing of their statics behind") {
  if (!counts_allocations) return;  // a sanitizer brings its own heap
  constexpr std::size_t turns = 500;
  auto running = std::make_unique<LoadedPlugin>(FAREWELL_SO);
  const auto take_turns = [&] {
    for (std::size_t turn = 0; turn < turns; ++turn) {
      auto next = std::make_unique<LoadedPlugin>(turn % 2 == 0 ? COUNTER_1_SO : FAREWELL_SO);
      running = std::move(next);  // it is loaded before the one that runs goes
    }
    return mallinfo2().uordblks;
  };
  take_turns();  // from now on all that is made once is there
  const std::size_t before = take_turns();
  const std::size_t after = take_turns();

  CHECK(after < before + 4 * turns);  // in libc's list one static takes 32
}
