#pragma once

#include <cstddef>

namespace weir::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool counts_allocations = false;
#else
inline constexpr bool counts_allocations = true;
#endif

/// How often operator new has been called in this process, by its plugins too.
std::size_t allocation_count();

}  // namespace weir::test
