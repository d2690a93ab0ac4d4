#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "decode/message_plan.hpp"

namespace weir::test {

/// What a run of the property saw.
struct PropertyRun {
  std::optional<std::string> failure;  ///< the first case that breaks the property, with its input
  std::size_t accepted = 0;            ///< by both
  std::size_t refused = 0;             ///< by both
  std::map<std::string, std::size_t> differences;  ///< documented ones, by their names
};

/// Holds JsonToWire against Protobuf's json_util over random message types: random messages as
/// JSON, two of them spliced into one, and broken ones. Either both refuse, or both read the same
/// message, or the difference is one of the documented ones. Stops at the first failure.
PropertyRun run_json_property(std::uint64_t seed, std::size_t cases, host::PlanFault fault);

}  // namespace weir::test
