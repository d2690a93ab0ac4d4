#pragma once

#include <cstdint>
#include <string_view>

namespace weir::host {

/// How a producer turns a record's key into its partition. Two producers of one topic must agree,
/// else one key has records, and so State, in several partitions.
enum class Partitioner {
  murmur2,     ///< Kafka's Java client, and Weir
  consistent,  ///< librdkafka's default for records with a key: CRC32
};

/// The partition of `key` among `partition_count` (at least 1). [any-thread]
std::int32_t partition_of(Partitioner partitioner, std::string_view key,
                          std::int32_t partition_count);

}  // namespace weir::host
