#include "supervise/back_off.hpp"

#include <doctest/doctest.h>

namespace weir::host {
namespace {

TEST_CASE("supervise/back off: what does not get on waits ever longer") {
  BackOff back_off;
  CHECK(back_off.after_end(true).count() == 0);
  for (const int wanted : {100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000}) {
    CHECK(back_off.after_end(false).count() == wanted);
  }
  CHECK(back_off.after_end(true).count() == 0);
  CHECK(back_off.after_end(false).count() == 100);
}

}  // namespace
}  // namespace weir::host
