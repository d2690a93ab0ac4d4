#include "base/arena.hpp"

#include <doctest/doctest.h>

#include <string>

namespace weir::host {

TEST_CASE("arena: what was handed out stays where it is while more is asked for") {
  Arena arena(64);
  const std::string_view first = arena.copy("first");
  for (int i = 0; i < 100; ++i) arena.copy(std::string(40, 'x'));

  CHECK(first == "first");
  CHECK(arena.bytes() == 8 + 100 * 40);
}

TEST_CASE("arena: a piece larger than a chunk is whole") {
  Arena arena(64);
  const std::string big(1000, 'b');

  CHECK(arena.copy(big) == big);
}

TEST_CASE("arena: reset starts over and reuses the memory") {
  Arena arena(64);
  const char* first = arena.allocate(8);
  arena.reset();

  CHECK(arena.bytes() == 0);
  CHECK(arena.allocate(8) == first);
}

TEST_CASE("arena: empty pieces have an address") {
  Arena arena;
  CHECK(arena.copy("").data() != nullptr);
}

}  // namespace weir::host
