#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "commit/task_store.hpp"

namespace weir::host {

/// What an operator wants of a key that waits, as it was when he looked: it is due at once, as for
/// the first time, without its first `drop` records.
struct ParkedOrder {
  std::uint64_t number = 0;   ///< in its task
  std::int64_t since_ms = 0;  ///< of its row; numbers come again
  std::uint64_t first = 0;    ///< sequence of its first record; matters where something is dropped
  std::uint64_t drop = 0;
};

enum class ParkedOutcome {
  done,
  gone,   ///< it waits no more
  moved,  ///< its first record is another one now: nothing was dropped, and it is not due earlier
};

/// Does all of `orders` in one transaction, beside the task's commits; whoever has the keys in
/// memory reads them again. The outcomes are in the order of `orders`. An error: nothing was done.
Result<std::vector<ParkedOutcome>> carry_out(TaskStore& store, std::span<const ParkedOrder> orders);

}  // namespace weir::host
