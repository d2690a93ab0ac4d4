#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "log/kafka/kafka_admin.hpp"
#include "log/kafka/kafka_consumer.hpp"
#include "log/log.hpp"

namespace weir::host {

/// The app as the member of its group, as long as the log lives: one consumer after the other.
///
/// A consumer can be fenced by itself: when a broker was away, librdkafka joins again, and if an
/// answer was lost in between, the group has two members of one name. So a fenced host asks who the
/// group's member is. Nobody, or a host of this state directory, which only this process can be:
/// another consumer takes the place, and readers and producers go over to it. Anybody else: that
/// host has taken over, and is named.
class KafkaMember {
 public:
  /// Errc::refused: another live host is the member, or `membership.admit` said so; nothing of
  /// anybody was fenced. Or the group gave this host less than all partitions.
  static Result<std::shared_ptr<KafkaMember>> join(std::shared_ptr<KafkaContext> context,
                                                   std::shared_ptr<KafkaAdmin> admin,
                                                   const Membership& membership);
  ~KafkaMember();
  KafkaMember(const KafkaMember&) = delete;
  KafkaMember& operator=(const KafkaMember&) = delete;

  /// The one that is the member now. Null: none is at the moment, ask again. Errc::refused: this
  /// host is the member no more. [any]
  Result<std::shared_ptr<KafkaConsumer>> consumer() const;

  const TopicPartition& any_input() const { return partitions_.front(); }

  /// Another number when the group may have been somebody else's in the meantime. [any]
  std::uint64_t generation() const;

  /// Whether this host is still the one that the group knows, or nobody is. Asks the broker.
  /// Errc::refused: another is, and who. [any]
  Result<void> check_owner() const;

 private:
  KafkaMember(std::shared_ptr<KafkaContext> context, std::shared_ptr<KafkaAdmin> admin);
  Result<void> check_members() const;
  Result<void> check_marks(const Membership& membership) const;
  Result<std::shared_ptr<KafkaConsumer>> open_consumer(std::stop_token stop);
  void run(std::stop_token stop);
  void replace(std::stop_token stop);
  /// One attempt at it. Errc::unavailable: try again.
  Result<void> replace_once(std::stop_token stop);

  std::shared_ptr<KafkaContext> context_;
  std::shared_ptr<KafkaAdmin> admin_;
  std::string group_;
  std::string host_;
  std::vector<std::string> topics_;
  std::vector<TopicPartition> partitions_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::shared_ptr<KafkaConsumer> consumer_;  // guarded by mutex_; null: being replaced
  std::optional<Error> error_;               // guarded by mutex_
  std::uint64_t generation_ = 0;             // guarded by mutex_; of the consumers before

  // Of the thread alone.
  std::chrono::steady_clock::time_point joined_at_{};
  int fenced_in_a_row_ = 0;
  std::jthread thread_;
};

}  // namespace weir::host
