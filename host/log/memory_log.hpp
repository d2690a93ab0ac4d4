#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "log/log.hpp"

namespace weir::host {

/// The log in memory, for the TestDriver, tests and simulation; it can be told to behave as badly
/// as a broker may. Gone with its last handle.
///
/// Several handles on one log stand for several processes. [any-thread]
class MemoryLog final : public Log {
 public:
  struct Options {
    /// As in Kafka, every publish() leaves one offset without a record (the commit marker) at the
    /// end of each partition that it wrote to.
    bool commit_markers = false;
  };
  explicit MemoryLog(Options options);
  MemoryLog() : MemoryLog(Options{}) {}
  ~MemoryLog() override;

  std::unique_ptr<MemoryLog> another_handle() const;

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

  /// How a publish() ends in Errc::unavailable. Its producer answers nothing else from then on.
  enum class PublishFault {
    lost,         ///< it did not happen
    answer_lost,  ///< it happened
  };
  /// The `nth` publish() from now, of any handle; 1 is the next one.
  void fail_publish(std::uint64_t nth, PublishFault fault);

  /// The next `calls` of open_producer() and committed() are Errc::unavailable.
  void go_away(std::uint64_t calls);

  /// Until hang(false) no publish() comes back, of any handle.
  void hang(bool hangs);

  /// `count` offsets without records at the end: what aborted transactions leave behind.
  Result<void> add_gap(const TopicPartition& partition, std::int64_t count);

  /// The group's mark is gone, as after its expiry or deletion.
  void forget_mark(std::string_view group, const TopicPartition& input);

  /// What health() says from now on.
  void set_health(LogHealth health);

  /// Deletes the records below `begin`, as retention does.
  Result<void> truncate(const TopicPartition& partition, std::int64_t begin);

 private:
  struct Shared;
  class MemoryReader;
  class MemoryProducer;
  explicit MemoryLog(std::shared_ptr<Shared> shared);
  std::shared_ptr<Shared> shared_;  // with the other handles, readers and producers
};

}  // namespace weir::host
