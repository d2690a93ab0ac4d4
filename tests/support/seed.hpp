#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

namespace weir::test {

/// What a random test begins with, for CAPTURE: WEIR_SEED, which repeats a run, or what `otherwise`
/// says.
inline std::uint64_t seed_or(std::uint64_t otherwise) {
  const char* given = std::getenv("WEIR_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

/// Drawn, where none is given.
inline std::uint64_t seed() { return seed_or(std::random_device{}()); }

}  // namespace weir::test
