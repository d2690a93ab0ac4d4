#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log/log.hpp"

namespace weir::host {

/// What only grows, of the connections to one broker.
struct KafkaCounters {
  std::uint64_t requests = 0;
  std::uint64_t retries = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t send_errors = 0;
  std::uint64_t receive_errors = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t disconnects = 0;

  KafkaCounters& operator+=(const KafkaCounters& other);
};

/// What one client of librdkafka says of itself, as far as operators use it. Statistics of
/// librdkafka 2.0.2; what a version does not have stays 0 or absent.
struct KafkaStatistics {
  /// A connection. There may be two to one broker: the coordinator of a group has its own.
  struct Connection {
    /// Its id; "coordinator": that of the group or of transactions, whichever broker that is now;
    /// "bootstrap": the client does not know yet which one it is.
    std::string broker;
    bool is_needed = false;
    bool is_up = false;
    std::int64_t in_flight = 0;         ///< requests without an answer yet
    std::int64_t queued = 0;            ///< requests that were not sent yet
    double round_trip_p99_seconds = 0;  ///< of the last interval
    double throttle_seconds = 0;        ///< the longest of the last interval
    KafkaCounters counters;
  };
  /// One that the client fetches.
  struct Partition {
    TopicPartition partition;
    std::int64_t queued_records = 0;
    std::int64_t queued_bytes = 0;
    std::optional<std::int64_t> end;  ///< of what a reader may see, as the last fetch told
  };
  struct Group {
    bool is_steady = false;  ///< the client is a member and knows its part
    std::string state;       ///< librdkafka's word: steady, wait-join, ...
    std::int64_t partition_count = 0;
    std::uint64_t rebalances = 0;
    double rebalance_age_seconds = 0;
  };

  std::vector<Connection> connections;
  std::vector<Partition> partitions;
  std::optional<Group> group;
  std::int64_t queued_records = 0;  ///< a producer's, sent or not, without an acknowledgement yet
  std::int64_t queued_bytes = 0;
};

/// Errc::invalid: this is not librdkafka's JSON.
Result<KafkaStatistics> parse_kafka_statistics(std::string_view json);

}  // namespace weir::host
