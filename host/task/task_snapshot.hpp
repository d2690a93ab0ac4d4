#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/histogram.hpp"
#include "base/result.hpp"
#include "task/counters.hpp"

namespace weir::host {

/// How one resolver of a task stands.
struct ResolverSnapshot {
  Outcomes outcomes;
  std::uint64_t retries = 0;
  std::uint64_t live_states = 0;
  std::uint64_t live_bytes = 0;  ///< estimated
  std::uint64_t parked_keys = 0;
  std::uint64_t parked_records = 0;
};

/// How a task stood a moment ago: what others may know of it, copied, so that nobody has to ask the
/// task itself.
struct TaskSnapshot {
  std::int64_t position = 0;   ///< the next record's offset
  std::int64_t committed = 0;  ///< the same, of the newest commit
  std::uint64_t records = 0;
  std::uint64_t commits = 0;
  std::uint64_t call_us = 0;                ///< what the plugins took for the records
  std::vector<ResolverSnapshot> resolvers;  ///< in the order of TaskOptions::resolvers
  std::vector<std::uint64_t> published;     ///< records, in the order of TaskOptions::sink_names
  Histogram commit_times;                   ///< from saving States until they are durable
  Histogram publish_times;                  ///< from handing a commit over until it is out
  std::uint64_t parked_bytes = 0;
  std::uint64_t outbox_bytes = 0;  ///< of the open commit and of the one on its way out
  std::optional<std::int64_t> record_timestamp_ms;  ///< of the last record handled since the start
  std::optional<std::int64_t> commit_wall_ms;       ///< when the newest commit since the start was
  std::optional<Error> halted;

  Counters counters() const;
  std::uint64_t live_states() const;
  std::uint64_t parked_keys() const;
  std::uint64_t parked_records() const;
};

}  // namespace weir::host
