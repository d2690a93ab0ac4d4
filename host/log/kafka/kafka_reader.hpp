#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "log/kafka/kafka_consumer.hpp"
#include "log/log.hpp"

namespace weir::host {

class KafkaMember;

/// Reads one lane. Keeps the messages of the last fetch, so that their bytes stay, and so that
/// going back to one of them asks no broker.
class KafkaReader final : public Reader {
 public:
  /// A client of its own; returns when the first answer is there.
  static Result<std::unique_ptr<Reader>> open_single(std::shared_ptr<KafkaContext> context,
                                                     const TopicPartition& partition,
                                                     std::int64_t offset);
  /// A lane of the group's member; null: not one of its partitions, or another reader has it.
  /// Starts with the first fetch() of any of them, all at once. Goes on where the member does.
  static Result<std::unique_ptr<Reader>> open_lane(std::shared_ptr<KafkaMember> member,
                                                   const TopicPartition& partition,
                                                   std::int64_t offset);
  ~KafkaReader() override;

  Result<std::span<const Record>> fetch(FetchLimit limit) override;
  std::int64_t position() const override { return position_; }
  Result<void> seek(std::int64_t offset) override;

 private:
  KafkaReader(std::shared_ptr<KafkaConsumer> consumer, KafkaLane& lane, std::int64_t offset);
  /// Whether there is a consumer to read from: another one, if its own was fenced.
  Result<bool> has_consumer();
  Result<bool> change_consumer();
  void forget();
  Result<void> restart(std::int64_t offset);
  /// Whether the queue had anything.
  Result<bool> refill(std::size_t count, std::chrono::milliseconds timeout);
  void take(KafkaMessage message);
  void take_error(const rd_kafka_message_t& message);
  Error out_of_range() const;
  void look_at_queue();
  void add(const rd_kafka_message_t& message);

  std::shared_ptr<KafkaMember> member_;  ///< null: a client of its own
  std::shared_ptr<KafkaConsumer> consumer_;
  KafkaLane* lane_;
  std::int64_t position_;

  std::vector<KafkaMessage> window_;  ///< what was taken from the queue last
  std::size_t next_ = 0;              ///< in window_: not yet handed out
  std::int64_t window_end_ = 0;       ///< the position behind window_, and behind gaps after it
  bool is_at_end_ = false;
  bool was_long_ = false;          ///< the queue, since the end was last seen
  std::size_t message_bytes_ = 0;  ///< of the messages taken last, on average
  std::optional<Error> error_;     ///< behind window_

  std::vector<rd_kafka_message_t*> taken_;
  std::vector<Record> records_;
  std::deque<std::vector<Header>> headers_;
};

}  // namespace weir::host
