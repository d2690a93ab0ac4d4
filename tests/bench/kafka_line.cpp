#include "bench/kafka_line.hpp"

#include <sys/resource.h>

#include <chrono>
#include <random>

#include <fmt/format.h>

#include "bench/kafka_client.hpp"

namespace weir::host::bench {

std::string KafkaCase::name() const {
  std::string name = fmt::format("{} {}k keys", line.name(), key_count / 1000);
  if (line.features) name += exactly_once ? " eo" : " alo";
  return worker_count == 1 ? name : fmt::format("{} {} workers", name, worker_count);
}

std::string KafkaCase::topic() const { return fmt::format("{}-{}", line.topic(), key_count); }

double fill_kafka(const KafkaSetting& setting, const KafkaCase& one) {
  const std::string topic = one.topic();
  make_topic(setting.brokers, topic, setting.partition_count);
  const Client producer = open_client(RD_KAFKA_PRODUCER, setting.brokers,
                                      {{"linger.ms", "20"},
                                       {"compression.type", "lz4"},
                                       {"enable.idempotence", "true"},
                                       {"partitioner", "murmur2_random"},
                                       {"queue.buffering.max.messages", "200000"}});
  std::uint64_t there = 0;
  for (std::int32_t p = 0; p < setting.partition_count; ++p) {
    const auto [begin, end] = ends_of(producer.get(), topic, p);
    there += static_cast<std::uint64_t>(end - begin);
  }
  std::mt19937_64 random(setting.seed + there);
  std::uint64_t bytes = 0;
  std::uint64_t count = 0;
  while (there < setting.record_count || count == 0) {
    const KeyValue record = make_record(one.line, random() % one.key_count, random());
    bytes += record.value.size();
    ++count;
    if (there++ >= setting.record_count) break;  // only to know the size
    produce(producer.get(), topic, record);
  }
  kafka_ok(rd_kafka_flush(producer.get(), 60'000), "fill the topic");
  return static_cast<double>(bytes) / static_cast<double>(count);
}

std::uint64_t resident_peak_bytes() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace weir::host::bench
