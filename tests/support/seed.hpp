#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

namespace weir::test {

/// What a random test begins with, for CAPTURE: drawn, or WEIR_SEED, which repeats a run.
inline std::uint64_t seed() {
  const char* given = std::getenv("WEIR_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

}  // namespace weir::test
