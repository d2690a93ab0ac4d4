#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "log/append_plan.hpp"
#include "log/batch.hpp"
#include "log/log.hpp"
#include "log/log_environment.hpp"

namespace weir::host {

/// A partition as the tables name it.
struct PartitionRef {
  std::string topic;
  std::uint32_t topic_id = 0;
  std::int32_t partition = 0;

  BatchPlace place(std::int64_t base_offset) const {
    return {topic, topic_id, partition, base_offset};
  }
};

/// Big-endian, so that LMDB's order is the order of topics, partitions and offsets.
class PartitionKey {
 public:
  PartitionKey(std::uint32_t topic_id, std::int32_t partition);
  operator std::string_view() const { return {bytes_, sizeof bytes_}; }

 private:
  char bytes_[8];
};
class BatchKey {
 public:
  BatchKey(std::uint32_t topic_id, std::int32_t partition, std::int64_t base_offset);
  explicit BatchKey(const BatchPlace& place)
      : BatchKey(place.topic_id, place.partition, place.base_offset) {}
  operator std::string_view() const { return {bytes_, sizeof bytes_}; }
  static constexpr std::size_t base_offset_at = 8;
  static std::int64_t base_offset(std::string_view key);

 private:
  char bytes_[16];
};

/// What an embedded log stores, as typed entries. Any thread.
class EmbeddedTables {
 public:
  struct Topic {
    std::uint32_t id = 0;
    std::int32_t partition_count = 0;
    std::string identity;
  };
  using Step = std::function<void(std::string_view)>;

  EmbeddedTables(std::shared_ptr<LogEnvironment> environment, Step step)
      : environment_(std::move(environment)), step_(std::move(step)) {}

  const std::shared_ptr<LogEnvironment>& environment() const { return environment_; }

  Result<std::optional<Topic>> topic(std::string_view name);
  Result<std::vector<TopicInfo>> topics();
  Result<void> create_topic(std::string_view name, std::int32_t partition_count);
  /// Errc::not_found: no such topic or partition.
  Result<PartitionRef> partition(const TopicPartition& partition);

  template <typename Transaction>
  Result<OffsetRange> range(const Transaction& transaction, std::string_view topic,
                            std::string_view key) const {
    WEIR_TRY(const auto value, transaction.get(LogEnvironment::Table::partitions, key));
    return decode_range(topic, key, value);
  }

  Result<std::optional<Mark>> mark(std::string_view group, const TopicPartition& input);
  /// Fences the epochs before.
  Result<std::uint64_t> next_epoch(std::string_view group, std::string_view id);
  /// Fences every producer of the group that was opened through other tables. Before the first
  /// producer of these.
  Result<void> join(std::string_view group);

  Result<std::vector<std::int64_t>> append(std::span<const NewRecord> records);
  Result<void> publish(std::string_view group, std::string_view id, std::uint64_t epoch,
                       std::span<const Publication> publications);

  void wait(std::chrono::milliseconds timeout);

 private:
  Result<OffsetRange> decode_range(std::string_view topic, std::string_view key,
                                   const std::optional<MDB_val>& value) const;
  AppendPlan::FindTopic find_topic();
  Result<std::int64_t> put_records(LogTransaction& transaction,
                                   const AppendPlan::Partition& partition);
  Result<void> put_mark(LogTransaction& transaction, std::string_view group, const Mark& mark);
  Result<std::uint64_t> next_epoch(const std::string& key);
  Result<std::uint64_t> epoch(const LogTransaction& transaction, std::string_view key) const;
  Result<void> commit(LogTransaction& transaction);
  void step(std::string_view name) const {
    if (step_) step_(name);
  }

  std::shared_ptr<LogEnvironment> environment_;
  Step step_;
  struct Member {
    std::string group;
    std::uint64_t epoch = 0;
  };
  std::optional<Member> member_;  // absent: nobody called join()

  std::shared_mutex topics_mutex_;
  std::map<std::string, Topic, std::less<>> topics_;  // a topic never changes once made

  std::mutex seen_mutex_;
  std::unordered_map<std::thread::id, std::uint64_t> seen_;  // by wait()
};

/// A partition's batch that holds `position`, or the first one after it. Absent: there is none.
Result<std::optional<BatchView>> find_batch(const LogEnvironment& environment, MDB_cursor* cursor,
                                            const PartitionRef& partition, std::int64_t position);

Result<std::unique_ptr<Reader>> open_embedded_reader(std::shared_ptr<EmbeddedTables> tables,
                                                     PartitionRef partition, std::int64_t offset);

}  // namespace weir::host
