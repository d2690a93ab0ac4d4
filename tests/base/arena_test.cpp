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

TEST_CASE("arena: rounds with oversized pieces do not make it grow") {
  Arena arena(64);
  const auto round = [&] {
    arena.reset();
    for (int piece = 0; piece < 10; ++piece) {
      arena.copy(std::string(40, 'x'));
      arena.copy(std::string(1000, 'b'));
    }
  };
  round();
  const std::size_t held = arena.held_bytes();

  for (int i = 0; i < 100; ++i) round();

  CHECK(arena.held_bytes() == held);
}

TEST_CASE("arena: empty pieces have an address") {
  Arena arena;
  CHECK(arena.copy("").data() != nullptr);
}

}  // namespace weir::host
