#include "base/counted.hpp"

#include <cstdint>

#include <doctest/doctest.h>

namespace weir::host {

TEST_CASE("counted: one thing is one and everything else is many") {
  CHECK(counted(0, "record") == "0 records");
  CHECK(counted(1, "record") == "1 record");
  CHECK(counted(2, "dead letter") == "2 dead letters");
  CHECK(counted(std::uint64_t{1}, "State") == "1 State");
  CHECK(counted(std::int64_t{-1}, "record") == "-1 records");
  CHECK(counted(UINT64_MAX, "timer") == "18446744073709551615 timers");
}

}  // namespace weir::host
