#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "log/log.hpp"

namespace weir::host {

class EmbeddedTables;

/// Address space, not disk or memory.
inline constexpr std::uint64_t embedded_log_map_bytes = std::uint64_t{256} << 30;

/// The log of those who have no Kafka: one LMDB environment in a directory of a local disk, used by
/// several processes at once. host/docs/embedded-log-format.md has the grammar of what it holds.
///
/// Every append and every publish is one LMDB transaction, so all or nothing also under kill -9,
/// and under loss of power with `sync`. Writers of all processes take turns; readers never wait.
/// Nothing is ever deleted. Offsets have no gaps. Handles of one directory in one process share the
/// environment. Not to be used across fork().
///
/// Errors beside those of the port: Errc::full, the map or the disk has no room, nothing was
/// written and later appends succeed once there is; Errc::corrupt, stored bytes do not fit their
/// checksum, naming topic, partition and offset.
class EmbeddedLog final : public Log {
 public:
  struct Options {
    std::filesystem::path directory;  ///< made if missing
    /// The same in all processes that have the log open.
    std::uint64_t map_bytes = embedded_log_map_bytes;
    /// false: an append may be lost with the machine, never with the process.
    bool sync = true;
    /// Tests only: called between the steps of every write, from the writing thread, with the name
    /// of the step that comes next.
    std::function<void(std::string_view step)> step = {};
  };

  /// Errc::refused: open in this process with other settings. Errc::corrupt: not a log, or of
  /// another format.
  static Result<std::unique_ptr<EmbeddedLog>> open(Options options);
  ~EmbeddedLog() override;

  /// Takes the group over: every producer that an earlier member opened is fenced, whatever its id.
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
  /// Other processes are noticed within 2 ms, this one at once.
  void wait_for_records(std::chrono::milliseconds timeout) override;
  LogHealth health() override;

 private:
  explicit EmbeddedLog(std::shared_ptr<EmbeddedTables> tables);
  std::shared_ptr<EmbeddedTables> tables_;  // with its readers and producers, which may outlive it
};

}  // namespace weir::host
