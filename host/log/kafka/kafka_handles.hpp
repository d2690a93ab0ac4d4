#pragma once

#include <memory>

#include <librdkafka/rdkafka.h>

namespace weir::host {

/// librdkafka's objects with their ends.

template <auto destroy>
struct KafkaDestroy {
  template <typename T>
  void operator()(T* object) const {
    destroy(object);
  }
};

using KafkaConf = std::unique_ptr<rd_kafka_conf_t, KafkaDestroy<rd_kafka_conf_destroy>>;
using KafkaHandle = std::unique_ptr<rd_kafka_t, KafkaDestroy<rd_kafka_destroy>>;
using KafkaTopic = std::unique_ptr<rd_kafka_topic_t, KafkaDestroy<rd_kafka_topic_destroy>>;
using KafkaQueue = std::unique_ptr<rd_kafka_queue_t, KafkaDestroy<rd_kafka_queue_destroy>>;
using KafkaEvent = std::unique_ptr<rd_kafka_event_t, KafkaDestroy<rd_kafka_event_destroy>>;
using KafkaMessage = std::unique_ptr<rd_kafka_message_t, KafkaDestroy<rd_kafka_message_destroy>>;
using KafkaHeaders = std::unique_ptr<rd_kafka_headers_t, KafkaDestroy<rd_kafka_headers_destroy>>;
using KafkaFault = std::unique_ptr<rd_kafka_error_t, KafkaDestroy<rd_kafka_error_destroy>>;
using KafkaPartitions = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                        KafkaDestroy<rd_kafka_topic_partition_list_destroy>>;
using KafkaMembership = std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                                        KafkaDestroy<rd_kafka_consumer_group_metadata_destroy>>;
using KafkaMetadata =
    std::unique_ptr<const rd_kafka_metadata_t, KafkaDestroy<rd_kafka_metadata_destroy>>;

/// From this version of librdkafka on a throttled fetch looks again by itself, after
/// fetch.queue.backoff.ms; before, something has to wake it.
inline constexpr int fetch_queue_backoff_since = 0x020200ff;

}  // namespace weir::host
