// From a record's append to its feature where a read-committed consumer sees it. One process: the
// line, a producer at an even pace, a consumer of the features. The broker stamps the records as it
// appends them, and a feature carries its record's timestamp: so the answer is as fine as Kafka's
// timestamps, a millisecond, and knows nothing of how the records came to the broker.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "bench/kafka_client.hpp"
#include "bench/kafka_line.hpp"

namespace weir::host::bench {

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto warm_up = 5s;
constexpr auto measured_time = 20s;
constexpr auto slice = 1ms;

class Feeder {
 public:
  Feeder(const KafkaSetting& setting, const KafkaCase& one, std::string topic)
      : one_(one),
        topic_(std::move(topic)),
        random_(setting.seed),
        producer_(open_client(RD_KAFKA_PRODUCER, setting.brokers,
                              {{"linger.ms", "5"}, {"partitioner", "murmur2_random"}})) {}

  void feed(std::uint64_t records_per_s) {
    const auto start = Steady::now();
    const auto end = start + warm_up + measured_time;
    for (auto now = start; now < end; now = Steady::now()) {
      const auto since = std::chrono::duration<double>(now - start).count();
      const auto due = static_cast<std::uint64_t>(since * static_cast<double>(records_per_s));
      while (sent_ < due) send();
      rd_kafka_poll(producer_.get(), 0);
      std::this_thread::sleep_for(slice);
    }
    kafka_ok(rd_kafka_flush(producer_.get(), 60'000), "feed the topic");
  }
  std::uint64_t sent() const { return sent_; }

 private:
  void send() {
    produce(producer_.get(), topic_, make_record(one_.line, random_() % one_.key_count, random_()));
    ++sent_;
  }

  const KafkaCase& one_;
  std::string topic_;
  std::mt19937_64 random_;
  Client producer_;
  std::uint64_t sent_ = 0;
};

/// Milliseconds of every feature seen. Ends once it has seen `wanted`, or nothing for 10 s.
std::vector<std::int64_t> watch(const KafkaSetting& setting, const std::string& topic,
                                const std::atomic<std::uint64_t>& wanted) {
  TopicReader reader(setting.brokers, topic, setting.partition_count);
  reader.start();
  SystemClock clock;
  std::vector<std::int64_t> waits;
  for (auto last = Steady::now(); waits.size() < wanted && Steady::now() - last < 10s;) {
    std::size_t count = 0;
    for (PartitionQueue& partition : reader.partitions()) {
      count += read_some(partition, [&](std::span<rd_kafka_message_t*> messages) {
        const std::int64_t now = clock.wall_ms();
        for (const rd_kafka_message_t* message : messages) {
          waits.push_back(now - rd_kafka_message_timestamp(message, nullptr));
        }
      });
    }
    if (count > 0) last = Steady::now();
    rd_kafka_poll(reader.client(), count == 0 ? 1 : 0);
  }
  return waits;
}

}  // namespace

KafkaLatency run_kafka_latency(const KafkaSetting& setting, const KafkaCase& one, StartLine start,
                               std::uint64_t records_per_s, int number) {
  const std::string topic = fmt::format("latency-{}", number);
  make_topic(setting.brokers, topic, setting.partition_count,
             {{"message.timestamp.type", "LogAppendTime"}});
  const auto line = start(setting, one, topic, number);

  std::atomic<std::uint64_t> wanted = ~0ULL;
  std::vector<std::int64_t> waits;
  std::thread watcher([&] { waits = watch(setting, line->output(), wanted); });
  Feeder feeder(setting, one, topic);
  feeder.feed(records_per_s);
  wanted = feeder.sent();
  watcher.join();
  line->stop();
  if (waits.size() != feeder.sent()) {
    fail(error(Errc::internal, "{}: {} records went in and {} features came out", one.name(),
               feeder.sent(), waits.size()));
  }

  const auto skip = static_cast<std::ptrdiff_t>(records_per_s * warm_up.count());
  waits.erase(waits.begin(), waits.begin() + skip);
  std::sort(waits.begin(), waits.end());
  const auto at = [&](double share) {
    return waits[static_cast<std::size_t>(share * static_cast<double>(waits.size() - 1))];
  };
  return {at(0.5), at(0.99), waits.back()};
}

}  // namespace weir::host::bench
