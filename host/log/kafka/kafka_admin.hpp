#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log/kafka/kafka_client.hpp"
#include "log/log.hpp"

namespace weir::host {

/// A member of a group as others see it. The broker keeps what the first of several static members
/// of one name has said of itself.
struct KafkaGroupMember {
  std::string client_id;
  std::string instance;  ///< empty: not a static member
  std::string address;
};

/// Questions to the brokers: topics, offsets, marks, groups. Blocks until there is an answer, at
/// most KafkaOptions::patience. [any]
class KafkaAdmin {
 public:
  static Result<std::unique_ptr<KafkaAdmin>> open(std::shared_ptr<KafkaContext> context);

  Result<std::optional<TopicInfo>> topic(std::string_view name);
  Result<std::vector<TopicInfo>> topics();
  Result<void> create_topic(std::string_view name, std::int32_t partition_count);

  /// Errc::not_found: no such topic or partition.
  Result<TopicInfo> find(const TopicPartition& partition);

  Result<OffsetRange> offsets(const TopicPartition& partition);
  /// No record before it has this timestamp or a later one; range.end: none at all has.
  Result<std::int64_t> first_offset_at(const TopicPartition& partition, std::int64_t timestamp_ms,
                                       const OffsetRange& range);

  Result<std::optional<Mark>> committed(std::string_view group, const TopicPartition& input);

  /// The marks of inputs without those of transactions that have not ended yet, for which
  /// committed() waits.
  Result<std::vector<std::optional<Mark>>> decided_marks(std::string_view group,
                                                         std::span<const TopicPartition> inputs);

  /// Sets the group's marks without a transaction. Only while the group has no member.
  Result<void> commit(std::string_view group, std::span<const Mark> marks);

  Result<std::vector<KafkaGroupMember>> members(const std::string& group);

  /// Has `client` know the group's coordinator.
  Result<void> find_coordinator(const KafkaClient& client, const std::string& group);

  /// The largest batch that the topic takes, by its max.message.bytes; absent: not told.
  std::optional<std::string> size_limit(const std::string& topic);

 private:
  rd_kafka_resp_err_t describe(rd_kafka_t* client, const std::string& group,
                               KafkaEvent& event) const;
  explicit KafkaAdmin(std::shared_ptr<KafkaContext> context);
  Result<KafkaMetadata> metadata(const char* topic);
  Result<KafkaEvent> wait_for(KafkaQueue queue, std::string_view what) const;
  Result<rd_kafka_t*> observer(std::string_view group, const char* isolation);

  std::shared_ptr<KafkaContext> context_;
  std::unique_ptr<KafkaClient> client_;
  std::mutex mutex_;
  /// One for each group and isolation asked with; none is a member of its group.
  std::map<std::pair<std::string, std::string>, std::unique_ptr<KafkaClient>>
      observers_;  // guarded by mutex_
};

/// `marks` as librdkafka takes them.
KafkaPartitions to_kafka(std::span<const Mark> marks);

}  // namespace weir::host
