#include "decode/json_property.hpp"

#include <cstdio>

#include <doctest/doctest.h>

#include "decode/random_schema.hpp"

namespace weir::test {

using host::PlanFault;

TEST_CASE("json: random messages of random types are read as json_util reads them") {
  const std::uint64_t seed = seed_from_environment();
  std::printf("WEIR_SEED=%llu\n", static_cast<unsigned long long>(seed));

  const PropertyRun run = run_json_property(seed, cases_from_environment(1500), PlanFault::none);

  std::printf("both read %zu, both refuse %zu\n", run.accepted, run.refused);
  for (const auto& [name, count] : run.differences) std::printf("  %6zu %s\n", count, name.c_str());
  CHECK_MESSAGE(!run.failure, "WEIR_SEED=", seed, " ", run.failure.value_or(""));
  CHECK(run.accepted > run.refused / 10);
}

// The property above is only worth something if it notices mistakes: each of these is built in.
TEST_CASE("json: the property finds planted mistakes") {
  const std::uint64_t seed = seed_from_environment();
  for (const PlanFault fault : {PlanFault::sint_without_zigzag, PlanFault::oneof_clash_accepted,
                                PlanFault::second_enum_value_wrong}) {
    CAPTURE(static_cast<int>(fault));
    CAPTURE(seed);
    const PropertyRun run = run_json_property(seed, 3000, fault);
    REQUIRE(run.failure);
    CHECK(run.failure->find("json:") != std::string::npos);
  }
}

}  // namespace weir::test
