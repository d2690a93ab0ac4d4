#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace weir::host {

void assertion_failed(const char* file, int line, const char* condition, const char* what) {
  std::fprintf(stderr, "weir: %s:%d: assertion failed: %s (%s)\n", file, line, condition, what);
  std::abort();
}

}  // namespace weir::host
