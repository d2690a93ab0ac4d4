#include "resolve/key_order.hpp"

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "support/seed.hpp"

namespace weir::host {
namespace {

std::vector<std::string> in_order(const std::vector<std::string>& keys) {
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  std::vector<std::string> sorted;
  for (const std::uint32_t index : order_by_key(views)) sorted.push_back(keys[index]);
  return sorted;
}

std::vector<std::string> sorted(std::vector<std::string> keys) {
  std::sort(keys.begin(), keys.end());
  return keys;
}

TEST_CASE("keys come in the order of their bytes even where one is the start of another") {
  using namespace std::string_literals;
  const std::vector<std::vector<std::string>> cases{
      {},
      {"one"},
      {"b", "a"},
      {"user-10", "user-1", "user-100", "user-2", "user"},
      {"a\0"s, "a", "a\0\0"s, "a\0b"s},  // zero bytes are not missing ones
      {"\xff", "\x7f", "\x80", "a"},     // bytes, not signed characters
      {"longer-start-0123456789-b", "longer-start-0123456789-a", "longer-start-0123456789"},
      {"12345678b", "12345678a", "12345678", "12345677z"}};  // equal in the eight bytes
  for (const auto& keys : cases) CHECK(in_order(keys) == sorted(keys));
}

TEST_CASE("random keys come in the order of their bytes") {
  const std::uint64_t used = test::seed();
  CAPTURE(used);  // WEIR_SEED repeats the run
  std::mt19937_64 random(used);
  for (int round = 0; round < 200; ++round) {
    const std::string start(random() % 12, 'k');
    const std::uint64_t alphabet = random() % 2 == 0 ? 3 : 256;
    std::set<std::string> keys;
    for (std::uint64_t i = random() % 300; i > 0; --i) {
      std::string key = start;
      for (std::uint64_t left = random() % 14; left > 0; --left) {
        key.push_back(static_cast<char>(random() % alphabet));
      }
      keys.insert(key);
    }
    std::vector<std::string> shuffled(keys.begin(), keys.end());
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    CHECK(in_order(shuffled) == sorted(shuffled));
  }
}

}  // namespace
}  // namespace weir::host
