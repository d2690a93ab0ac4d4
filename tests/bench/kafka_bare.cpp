// librdkafka at its best: partition queues taken in turn by one thread.
#include "bench/kafka_client.hpp"
#include "bench/kafka_line.hpp"
#include "bench/run.hpp"

namespace weir::host::bench {

KafkaMeasured run_kafka_bare(const KafkaSetting& setting, const KafkaCase& one, int) {
  TopicReader reader(setting.brokers, one.topic(), setting.partition_count);
  const std::int64_t wall = wall_ns();
  const std::int64_t cpu = process_cpu_ns();
  reader.start();
  KafkaMeasured measured;
  for (bool open = true; open;) {
    open = false;
    bool idle = true;
    for (PartitionQueue& partition : reader.partitions()) {
      if (partition.done()) continue;
      open = true;
      const std::size_t count = read_some(partition, [&](std::span<rd_kafka_message_t*> messages) {
        for (const rd_kafka_message_t* message : messages) measured.checksum += message->len;
      });
      measured.records += count;
      idle &= count == 0;
    }
    if (open && idle) rd_kafka_poll(reader.client(), 1);
  }
  measured.wall_s = static_cast<double>(wall_ns() - wall) / 1e9;
  measured.cpu_s = static_cast<double>(process_cpu_ns() - cpu) / 1e9;
  measured.resident_bytes = resident_peak_bytes();
  return measured;
}

}  // namespace weir::host::bench
