#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "log/kafka/kafka_client.hpp"
#include "log/log.hpp"

namespace weir::host {

/// One partition of a consumer: a queue of its own, which librdkafka's threads fill and one reader
/// empties. Nothing is ever paused: what is not taken stops its own fetching only.
struct KafkaLane {
  TopicPartition partition;
  KafkaQueue queue;
  /// Where its reader is; a new assignment goes on there.
  std::atomic<std::int64_t> position{0};
  /// The queue was long, has run low, and is not at the end.
  std::atomic<bool> is_hungry{false};
  std::atomic<bool> is_started{false};
  bool has_reader = false;  // guarded by the consumer's mutex
};

/// A consuming client and the thread that serves it: rebalances, errors, statistics, and waking the
/// fetch of queues that have run low.
///
/// librdkafka before 2.2 stops fetching for a partition whose queue is full and looks again only
/// when something wakes the thread of its leader, after a second at the latest; a consumer that is
/// slower than the network then crawls. Any request to that leader wakes it, so the thread asks for
/// the end of one hungry partition of each leader.
class KafkaConsumer {
 public:
  /// Reads one partition, without any group.
  static Result<std::shared_ptr<KafkaConsumer>> open_single(std::shared_ptr<KafkaContext> context,
                                                            const TopicPartition& partition);

  /// Joins the group under the name `instance`, which fences an older member of that name, and
  /// waits until it was given its part. Errc::refused: that is not every one of `partitions`.
  /// Errc::unavailable: no answer, fenced by the next one, or stopped.
  static Result<std::shared_ptr<KafkaConsumer>> open_member(std::shared_ptr<KafkaContext> context,
                                                            const Membership& membership,
                                                            const std::string& instance,
                                                            std::vector<TopicPartition> partitions,
                                                            std::stop_token stop);
  ~KafkaConsumer();
  KafkaConsumer(const KafkaConsumer&) = delete;
  KafkaConsumer& operator=(const KafkaConsumer&) = delete;

  /// Takes the lane of `partition` for a reader at `offset`; null: not one of its partitions, or
  /// another reader has it. [any]
  KafkaLane* take_lane(const TopicPartition& partition, std::int64_t offset);
  void leave_lane(KafkaLane& lane);

  /// Lets all lanes with readers go on at their positions, as far as the group lets them. [any]
  Result<void> start_lanes();

  /// Why readers get nothing any more; costs one load while all is well. [any]
  Result<void> check() const {
    if (!is_refused_.load(std::memory_order_acquire)) [[likely]]
      return {};
    return refusal();
  }

  /// A newer member of its name has its place; it reads nothing any more. [any]
  bool is_fenced() const { return is_fenced_.load(std::memory_order_acquire); }

  /// How often the group has given it its part. [any]
  std::uint64_t grant_count() const { return grant_count_.load(std::memory_order_acquire); }

  void lane_is_hungry(KafkaLane& lane);

  /// What producers show the group's coordinator. Errc::unavailable: not a member at the moment.
  Result<KafkaMembership> membership() const;

  KafkaContext& context() const { return client_->context(); }
  /// A queue with fewer messages and fewer bytes has run low: its fetch would not be throttled.
  std::size_t queued_messages_low() const { return queued_messages_low_; }
  std::size_t queued_bytes_low() const { return queued_bytes_low_; }

  /// Asks the broker, briefly; zeros when it does not answer.
  OffsetRange watermarks(const TopicPartition& partition) const;
  /// Commits marks as the member, outside of any transaction.
  Result<void> commit(std::span<const Mark> marks);

 private:
  KafkaConsumer() = default;
  Result<void> open(std::shared_ptr<KafkaContext> context, const KafkaProperties& fixed,
                    std::vector<TopicPartition> partitions);
  Result<void> subscribe(const Membership& membership, const std::stop_token& stop);
  Result<void> refusal() const;
  void refuse(Error error);
  void run();
  void serve_events();
  void on_rebalance(rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t* partitions);
  void assign_lanes();  // under mutex_
  std::set<std::string> topics() const;
  KafkaMetadata metadata_of(const std::string& topic) const;  // null: no answer
  void look_for_topics();
  void wake_leaders();
  void find_leaders();
  std::int32_t leader_of(const TopicPartition& partition) const;

  std::unique_ptr<KafkaClient> client_;
  std::vector<std::unique_ptr<KafkaLane>> lanes_;  // never changes after open()
  KafkaQueue events_;
  bool is_member_ = false;
  std::string group_;
  std::size_t queued_messages_low_ = 0;
  std::size_t queued_bytes_low_ = 0;

  // Never held while librdkafka is called: its threads take it in callbacks.
  std::mutex events_mutex_;
  std::condition_variable events_changed_;
  bool stopping_ = false;    // guarded by events_mutex_
  bool has_events_ = true;   // guarded by events_mutex_
  bool has_hungry_ = false;  // guarded by events_mutex_

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool is_granted_ = false;     // guarded by mutex_
  bool is_closing_ = false;     // guarded by mutex_
  bool was_given_ = false;      // partitions, ever; guarded by mutex_
  bool topic_is_gone_ = false;  // guarded by mutex_
  bool is_outdated_ = false;    // what it was given first; guarded by mutex_
  std::optional<Error> error_;  // guarded by mutex_
  std::atomic<bool> is_refused_{false};
  std::atomic<bool> is_fenced_{false};
  std::atomic<std::uint64_t> grant_count_{0};

  // Of the thread alone.
  std::vector<std::pair<TopicPartition, std::int32_t>> leaders_;
  std::chrono::steady_clock::time_point leaders_found_at_{};
  std::thread thread_;
};

}  // namespace weir::host
