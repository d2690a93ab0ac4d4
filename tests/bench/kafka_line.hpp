#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "bench/line_case.hpp"
#include "config/config.hpp"

namespace weir::host::bench {

/// The line on a real Kafka: one thing that is measured.
struct KafkaCase {
  Case line;
  std::uint64_t key_count = 100'000;
  unsigned worker_count = 1;
  bool exactly_once = true;  ///< of the features, if there are any

  std::string name() const;
  std::string topic() const;  ///< filled by fill_kafka(), shared by the cases with the same records
};

struct KafkaSetting {
  std::string brokers;
  std::filesystem::path directory;  ///< a State directory for each run
  std::uint64_t record_count = 2'000'000;
  std::int32_t partition_count = 4;
  std::uint64_t seed = 1;
};

/// What one run took. Plain data: it comes out of a child process through a pipe.
struct KafkaMeasured {
  double wall_s = 0;
  double cpu_s = 0;  ///< of all threads, librdkafka's too
  std::uint64_t records = 0;
  std::uint64_t commits = 0;
  std::uint64_t checksum = 0;        ///< sum of all counters in State: host and hand must agree
  std::uint64_t resident_bytes = 0;  ///< the most there was
};

/// Makes sure that the topic of the case holds the records. Returns the mean size of a value.
double fill_kafka(const KafkaSetting& setting, const KafkaCase& one);

/// Reads everything and adds up the sizes: librdkafka alone, at its best.
KafkaMeasured run_kafka_bare(const KafkaSetting& setting, const KafkaCase& one, int number);

/// The program that a careful team writes for the one job (kafka_by_hand.cpp).
KafkaMeasured run_kafka_by_hand(const KafkaSetting& setting, const KafkaCase& one, int number);

/// The whole host.
KafkaMeasured run_kafka_host(const KafkaSetting& setting, const KafkaCase& one, int number);

/// The app of the case over `topic`; its features go to the topic "out-<number>".
Config kafka_app(const KafkaSetting& setting, const KafkaCase& one, const std::string& topic,
                 int number);

/// A line over `topic` that goes on until it is stopped; its features go to output().
class RunningLine {
 public:
  virtual ~RunningLine() = default;
  virtual std::string output() const = 0;
  virtual void stop() = 0;  ///< returns when all that was read is committed and out
};
using StartLine = std::unique_ptr<RunningLine> (*)(const KafkaSetting&, const KafkaCase&,
                                                   const std::string& topic, int number);
std::unique_ptr<RunningLine> start_host(const KafkaSetting& setting, const KafkaCase& one,
                                        const std::string& topic, int number);
std::unique_ptr<RunningLine> start_by_hand(const KafkaSetting& setting, const KafkaCase& one,
                                           const std::string& topic, int number);

/// How long records took from their append to the feature that others can read, in milliseconds.
struct KafkaLatency {
  std::int64_t p50 = 0;
  std::int64_t p99 = 0;
  std::int64_t most = 0;
};
KafkaLatency run_kafka_latency(const KafkaSetting& setting, const KafkaCase& one, StartLine start,
                               std::uint64_t records_per_s, int number);

/// The most memory that this process has had, in bytes.
std::uint64_t resident_peak_bytes();

}  // namespace weir::host::bench
