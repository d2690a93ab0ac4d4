#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/logger.hpp"
#include "log/kafka/kafka_properties.hpp"
#include "log/log.hpp"

namespace weir::host {

struct KafkaOptions {
  std::string brokers;         ///< host:port, with commas between
  KafkaProperties properties;  ///< of every client; checked with check_kafka_property()
  KafkaProperties consumer;
  KafkaProperties producer;
  std::string client_id = "weir";
  /// How long the group waits for a member that says nothing before it gives its part away.
  std::chrono::milliseconds session_timeout{10'000};
  /// false: publish() may repeat records after a crash; it never loses them.
  bool exactly_once = true;
  std::int16_t replication = -1;  ///< of topics that create_topic() makes; -1: the broker's default
  KafkaProperties topic_config;   ///< of the same topics, by Kafka's names
  /// How long one question to the brokers may take before it is Errc::unavailable.
  std::chrono::milliseconds patience{30'000};
  Logger* logger = nullptr;  ///< for librdkafka's own lines; outlives the log
};

class KafkaAdmin;
class KafkaMember;
class KafkaProducer;
struct KafkaContext;

/// A real Kafka cluster behind the port, by librdkafka.
///
/// publish() is one Kafka transaction; marks are the group's committed offsets, their metadata is
/// that of the offsets. Readers see committed records only. Until join() every reader has a client
/// of its own; afterwards those of the joined topics share the one that is the group's member.
/// Readers and producers may outlive the log.
///
/// Errors beside those of the port: Errc::unavailable, no broker answered in time.
class KafkaLog final : public Log {
 public:
  /// Connects to nothing yet. Errc::config: librdkafka does not take the properties together.
  static Result<std::unique_ptr<KafkaLog>> open(KafkaOptions options);
  ~KafkaLog() override;

  Result<void> join(const Membership& membership) override;
  Result<std::optional<TopicInfo>> topic(std::string_view name) override;
  Result<std::vector<TopicInfo>> topics() override;
  Result<void> create_topic(std::string_view name, std::int32_t partition_count) override;
  Result<OffsetRange> offsets(const TopicPartition& partition) override;
  Result<std::int64_t> offset_at(const TopicPartition& partition,
                                 std::int64_t timestamp_ms) override;
  Result<std::unique_ptr<Reader>> open_reader(const TopicPartition& partition,
                                              std::int64_t offset) override;
  Result<std::unique_ptr<Producer>> open_producer(std::string_view group,
                                                  std::string_view id) override;
  Result<std::optional<Mark>> committed(std::string_view group,
                                        const TopicPartition& input) override;
  Result<std::vector<std::int64_t>> append(std::span<const NewRecord> records) override;
  void wait_for_records(std::chrono::milliseconds timeout) override;
  LogHealth health() override;

  /// librdkafka's statistics of the joined consumer, as JSON; empty before the first ones. [any]
  std::string statistics() const;

 private:
  explicit KafkaLog(std::shared_ptr<KafkaContext> context);
  /// Opens them once, which ends what was left open under their ids.
  Result<void> end_producers(const std::vector<std::string>& ids);

  std::shared_ptr<KafkaContext> context_;
  std::shared_ptr<KafkaAdmin> admin_;    // with its producers, which may outlive it
  std::shared_ptr<KafkaMember> member_;  // null before join()
  std::string group_;                    // of member_
  std::mutex append_mutex_;
  std::unique_ptr<KafkaProducer> appender_;  // guarded by append_mutex_
};

}  // namespace weir::host
