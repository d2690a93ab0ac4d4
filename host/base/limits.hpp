#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::host {

/// Every limit that is not a setting, with its reason. host/docs/limits.md is the page for users.

/// A State's key: LMDB's own limit for a key (MDB_MAXKEYSIZE of Debian's build).
inline constexpr std::size_t key_bytes_max = 511;

/// A State's key that has a timer: the store's index holds it beside the time and the resolver.
inline constexpr std::size_t timer_key_bytes_max = key_bytes_max - 12;

/// Timers that fire in one turn of a task, before records go on.
inline constexpr std::size_t timers_per_turn_max = 1000;

/// One record's value, as it comes from the log and after decoding.
inline constexpr std::size_t value_bytes_max = std::size_t{64} << 20;

/// One State, serialized. Protobuf itself ends at 2 GiB; LMDB writes 128 MiB in about 0.4 s.
inline constexpr std::size_t state_bytes_max = std::size_t{128} << 20;

/// One feature, serialized.
inline constexpr std::size_t feature_bytes_max = std::size_t{64} << 20;

/// What one call of resolve() may emit in all.
inline constexpr std::size_t features_per_call_bytes_max = std::size_t{256} << 20;

/// The reason that goes with a rejected record.
inline constexpr std::size_t reason_bytes_max = 1024;

/// Records of one fetch, and so of one prepare().
inline constexpr std::size_t batch_records_max = 1000;
inline constexpr std::size_t batch_bytes_max = std::size_t{4} << 20;

/// Nesting of JSON values, and of Protobuf messages while printing State.
inline constexpr std::size_t json_depth_max = 100;

/// The app's YAML.
inline constexpr std::size_t config_bytes_max = std::size_t{1} << 20;

static_assert(batch_bytes_max < value_bytes_max, "a fetch returns one big record alone");

}  // namespace weir::host
