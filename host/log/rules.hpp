#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "log/log.hpp"

namespace weir::host {

/// What every implementation of the port refuses in the same words, before it does anything.

/// Kafka's limit for a topic's name, and ours for groups and producers, whose names are LMDB keys.
inline constexpr std::size_t log_name_bytes_max = 249;

inline constexpr std::int32_t partition_count_max = 10'000;

/// One record with its key and headers. Twice the largest value, so that a dead letter always has
/// room for the record it tells about.
inline constexpr std::size_t record_bytes_max = std::size_t{128} << 20;

inline constexpr std::size_t mark_metadata_bytes_max = 1024;

/// Kafka's rules: 1 to 249 of a-z A-Z 0-9 . _ - and neither "." nor "..".
Result<void> check_topic_name(std::string_view name);

Result<void> check_partition_count(std::string_view topic, std::int32_t partition_count);

/// Groups and producer ids: 1 to 249 characters of printable ASCII. `what` names the kind.
Result<void> check_name(std::string_view what, std::string_view name);

/// At least one mark, offsets not negative, metadata printable ASCII of at most 1,024 bytes.
Result<void> check_publications(std::span<const Publication> publications);

Error no_such_topic(std::string_view name);
Error no_such_partition(std::string_view topic, std::int32_t partition,
                        std::int32_t partition_count);
Error other_partition_count(std::string_view topic, std::int32_t exists, std::int32_t asked);
Error position_out_of_range(std::string_view topic, std::int32_t partition, std::int64_t position,
                            const OffsetRange& range);
Error fenced(std::string_view group, std::string_view id);

}  // namespace weir::host
