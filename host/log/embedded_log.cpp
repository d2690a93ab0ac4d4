#include "log/embedded_log.hpp"

#include <utility>

#include <fmt/format.h>

#include "log/embedded_tables.hpp"
#include "log/rules.hpp"

namespace weir::host {
namespace {

class EmbeddedProducer final : public Producer {
 public:
  EmbeddedProducer(std::shared_ptr<EmbeddedTables> tables, std::string_view group,
                   std::string_view id, std::uint64_t epoch)
      : tables_(std::move(tables)), group_(group), id_(id), epoch_(epoch) {}

  Result<void> publish(std::span<const Publication> publications) override {
    return tables_->publish(group_, id_, epoch_, publications);
  }

 private:
  std::shared_ptr<EmbeddedTables> tables_;
  std::string group_;
  std::string id_;
  std::uint64_t epoch_;
};

}  // namespace

EmbeddedLog::EmbeddedLog(std::shared_ptr<EmbeddedTables> tables) : tables_(std::move(tables)) {}
EmbeddedLog::~EmbeddedLog() = default;

Result<std::unique_ptr<EmbeddedLog>> EmbeddedLog::open(Options options) {
  WEIR_TRY(auto environment,
           LogEnvironment::share({options.directory, options.map_bytes, options.sync}));
  auto tables = std::make_shared<EmbeddedTables>(std::move(environment), std::move(options.step));
  return std::unique_ptr<EmbeddedLog>(new EmbeddedLog(std::move(tables)));
}

Result<void> EmbeddedLog::join(const Membership& membership) {
  WEIR_CHECK(admit(membership));
  return tables_->join(membership.group);
}

Result<std::optional<TopicInfo>> EmbeddedLog::topic(std::string_view name) {
  WEIR_TRY(auto found, tables_->topic(name));
  if (!found) return std::optional<TopicInfo>{};
  return std::optional(
      TopicInfo{std::string(name), found->partition_count, std::move(found->identity)});
}

Result<std::vector<TopicInfo>> EmbeddedLog::topics() { return tables_->topics(); }

Result<void> EmbeddedLog::create_topic(std::string_view name, std::int32_t partition_count) {
  return tables_->create_topic(name, partition_count);
}

Result<OffsetRange> EmbeddedLog::offsets(const TopicPartition& partition) {
  WEIR_TRY(const PartitionRef ref, tables_->partition(partition));
  LogSnapshot snapshot(tables_->environment());
  WEIR_CHECK(snapshot.renew());
  return tables_->range(snapshot, ref.topic, PartitionKey(ref.topic_id, ref.partition));
}

Result<std::int64_t> EmbeddedLog::offset_at(const TopicPartition& partition,
                                            std::int64_t timestamp_ms) {
  WEIR_TRY(const PartitionRef ref, tables_->partition(partition));
  const LogEnvironment& environment = *tables_->environment();
  LogSnapshot snapshot(tables_->environment());
  WEIR_CHECK(snapshot.renew());
  WEIR_TRY(const OffsetRange range,
           tables_->range(snapshot, ref.topic, PartitionKey(ref.topic_id, ref.partition)));
  MDB_cursor* opened = nullptr;
  const int code = mdb_cursor_open(snapshot.transaction(),
                                   environment.dbi(LogEnvironment::Table::records), &opened);
  if (code != 0) return environment.error(code, "read");
  const std::unique_ptr<MDB_cursor, decltype(&mdb_cursor_close)> cursor(opened, mdb_cursor_close);
  for (std::int64_t position = range.begin; position < range.end;) {
    WEIR_TRY(const auto batch, find_batch(environment, cursor.get(), ref, position));
    if (!batch) break;
    if (batch->max_timestamp_ms() >= timestamp_ms) {
      WEIR_TRY(const std::int64_t found, batch->offset_at(position, timestamp_ms));
      if (found < batch->end_offset()) return found;
    }
    position = batch->end_offset();
  }
  return range.end;
}

Result<std::unique_ptr<Reader>> EmbeddedLog::open_reader(const TopicPartition& partition,
                                                         std::int64_t offset) {
  WEIR_TRY(PartitionRef ref, tables_->partition(partition));
  return open_embedded_reader(tables_, std::move(ref), offset);
}

Result<std::unique_ptr<Producer>> EmbeddedLog::open_producer(std::string_view group,
                                                             std::string_view id) {
  WEIR_TRY(const std::uint64_t epoch, tables_->next_epoch(group, id));
  return std::unique_ptr<Producer>(std::make_unique<EmbeddedProducer>(tables_, group, id, epoch));
}

Result<std::optional<Mark>> EmbeddedLog::committed(std::string_view group,
                                                   const TopicPartition& input) {
  return tables_->mark(group, input);
}

Result<std::vector<std::int64_t>> EmbeddedLog::append(std::span<const NewRecord> records) {
  return tables_->append(records);
}

void EmbeddedLog::wait_for_records(std::chrono::milliseconds timeout) { tables_->wait(timeout); }

LogHealth EmbeddedLog::health() {
  const Environment::Space space = tables_->environment()->lmdb().space();
  LogHealth out;
  if (space.file_bytes > space.map_bytes / 10 * 9) {
    out.trouble = fmt::format(
        "the embedded log '{}' fills {} of the {} bytes that it can have; appends fail at the end, "
        "and nothing is ever deleted: begin a new directory",
        tables_->environment()->directory().string(), space.file_bytes, space.map_bytes);
  }
  out.figures.push_back({"weir_log_file_bytes",
                         "Bytes of the embedded log's file in use",
                         LogFigure::Kind::gauge,
                         {},
                         static_cast<double>(space.file_bytes)});
  out.figures.push_back({"weir_log_map_bytes",
                         "Bytes that the embedded log's file can have",
                         LogFigure::Kind::gauge,
                         {},
                         static_cast<double>(space.map_bytes)});
  return out;
}

}  // namespace weir::host
