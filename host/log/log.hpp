#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace weir::host {

/// The port behind which records come and go: the embedded log, or Kafka.
///
/// tests/log/contract.cpp is the meaning of this file in code; every implementation passes it
/// unchanged.

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

struct Header {
  std::string_view name;
  MaybeBytes value;  ///< absent: a null header value
};

/// One record as the log holds it. A view: whoever hands it out says for how long.
struct Record {
  MaybeBytes key;
  MaybeBytes value;
  std::span<const Header> headers;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;  ///< since 1970-01-01 UTC
};

/// One record to append. A view; it need only live for the call it is passed to.
struct NewRecord {
  std::string_view topic;
  std::int32_t partition = 0;
  MaybeBytes key;
  MaybeBytes value;
  std::span<const Header> headers;
  std::int64_t timestamp_ms = 0;
};

struct TopicInfo {
  std::string name;
  std::int32_t partition_count = 0;
  /// Changes when a topic of this name is deleted and made anew; empty where the log cannot tell.
  std::string identity;
};

/// The offsets of one partition: records are in [begin, end); gaps are allowed.
struct OffsetRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;  ///< of what a reader may see: records of open transactions are not in it
};

struct FetchLimit {
  std::size_t records = 1000;
  std::size_t bytes = std::size_t{4} << 20;  ///< soft: one bigger record comes alone
};

/// Reads one partition in order. [task]: one thread at a time.
class Reader {
 public:
  virtual ~Reader() = default;

  /// The next records in the order of their offsets; empty when there are none now (never blocks).
  /// They and everything they point to are valid until the next call of any method of this reader.
  /// Errc::not_found: the position is outside [begin, end] of the partition.
  virtual Result<std::span<const Record>> fetch(FetchLimit limit) = 0;

  /// Where the next fetch() looks. Moves over gaps: once everything below an end has been fetched,
  /// the position is at least that end, also where the last offsets hold no record.
  virtual std::int64_t position() const = 0;

  virtual Result<void> seek(std::int64_t offset) = 0;
};

/// How far a group has come in one input partition, with a text of the group's own that is stored
/// atomically with it.
struct Mark {
  TopicPartition input;
  std::int64_t next_offset = 0;
  std::string metadata;  ///< printable ASCII, at most 1,024 bytes (Kafka's limit is 4,096)
};

/// What one task publishes for one commit.
struct Publication {
  std::span<const Mark> marks;  ///< at least one; all inputs of the task
  std::span<const NewRecord> records;
  /// A producer of this id may have tried before, and it did not happen.
  bool is_again = false;
};

/// Appends for a group, atomically with the group's marks. One thread at a time.
///
/// Opening a producer fences every earlier producer of the same group and id: their next publish()
/// is refused, and nothing they had not finished becomes visible.
class Producer {
 public:
  virtual ~Producer() = default;

  /// All records and all marks of all `publications` become visible and durable at once, or none.
  /// Records of one partition keep the order of the spans.
  /// Errc::refused: fenced by a newer producer. Errc::unavailable: it is not known whether it
  /// happened; open a new producer and ask committed(). Any other error: nothing happened.
  virtual Result<void> publish(std::span<const Publication> publications) = 0;
};

/// One figure that a log keeps about itself. For the operator, who sees it as a metric.
struct LogFigure {
  enum class Kind { gauge, counter };
  /// "weir_log_...", by Prometheus's rules: base units (seconds, bytes), a counter ends in _total.
  /// Figures of one name have one kind and one help. host/docs/metrics.md has a row for each name.
  std::string name;
  std::string help;  ///< one sentence, without its full stop
  Kind kind = Kind::gauge;
  /// Of few values: broker, topic, partition. Equal names differ in them.
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

struct LogHealth {
  /// false: as far as is known, nothing can be read or published now. The host is not ready then.
  bool reachable = true;
  /// What an operator should know, in one line that says what to do; empty: nothing. Also while the
  /// log is reachable: one broker of three is away.
  std::string trouble;
  std::vector<LogFigure> figures;
  /// Ends that the log happens to know, maybe older than what offsets() says.
  std::map<TopicPartition, std::int64_t> ends{};
  /// How the log is, in a line for people, also when all is well; empty: there is nothing to tell.
  std::string summary{};
};

/// A host as the one member of its app's group.
struct Membership {
  std::string group;
  std::string host;  ///< tells hosts with different state directories apart; printable, no spaces
  std::vector<std::string> topics;  ///< all that it reads
  /// Ids of producers that earlier members may have opened and this one will not: what they have
  /// left open ends now, and not when the log's patience with them does.
  std::vector<std::string> former_producers = {};
  /// May be empty. Called with the group's mark of every input (absent: none was ever published)
  /// when nobody else was found and before anything of anybody is fenced; its error is that of
  /// join(). A mark may be the one before that of a transaction which has not ended yet; if that is
  /// refused it is asked again with what committed() says.
  std::function<Result<void>(const TopicPartition& input, const std::optional<Mark>& mark)> admit =
      {};
};

/// Where records come from and go to. Every method may be called from any thread.
class Log {
 public:
  virtual ~Log() = default;

  /// Makes this process the group's member for every partition of the topics, before it opens the
  /// group's producers; fences those that an earlier member has opened, whatever their ids. A log
  /// that only one process uses has nothing to do. Once. [control]
  /// Errc::refused: another live host is the member; it was not disturbed.
  virtual Result<void> join(const Membership& membership) { return admit(membership); }

  /// Absent: no such topic.
  virtual Result<std::optional<TopicInfo>> topic(std::string_view name) = 0;
  virtual Result<std::vector<TopicInfo>> topics() = 0;

  /// Errc::refused: it exists with another number of partitions. The same number: not an error.
  virtual Result<void> create_topic(std::string_view name, std::int32_t partition_count) = 0;

  virtual Result<OffsetRange> offsets(const TopicPartition& partition) = 0;

  /// The first offset whose record has this timestamp or a later one; the end if there is none.
  virtual Result<std::int64_t> offset_at(const TopicPartition& partition,
                                         std::int64_t timestamp_ms) = 0;

  virtual Result<std::unique_ptr<Reader>> open_reader(const TopicPartition& partition,
                                                      std::int64_t offset) = 0;

  /// `id` tells the producers of one group apart (one a worker).
  virtual Result<std::unique_ptr<Producer>> open_producer(std::string_view group,
                                                          std::string_view id) = 0;

  /// The group's mark of one input, never one that a running transaction may still change.
  /// Absent: none was ever published.
  virtual Result<std::optional<Mark>> committed(std::string_view group,
                                                const TopicPartition& input) = 0;

  /// Appends outside of any group, all or nothing; returns the offset of each record. For tools and
  /// tests.
  virtual Result<std::vector<std::int64_t>> append(std::span<const NewRecord> records) = 0;

  /// Returns when records may have arrived in any partition since the last call by this thread, or
  /// after `timeout`. May return early; is never late by more than a few milliseconds.
  virtual void wait_for_records(std::chrono::milliseconds timeout) = 0;

  /// How the log is, as is known already: asks nobody and returns at once. Called about once a
  /// second, also while offsets() waits for an answer.
  virtual LogHealth health() = 0;

 protected:
  /// Shows `membership.admit` what committed() says of every input.
  Result<void> admit(const Membership& membership);
};

}  // namespace weir::host
