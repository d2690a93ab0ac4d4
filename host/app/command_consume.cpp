#include "app/command_consume.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "app/app_schemas.hpp"
#include "app/output.hpp"
#include "app/record_line.hpp"
#include "base/number.hpp"
#include "config/suggest.hpp"
#include "config/values.hpp"
#include "decode/message_printer.hpp"

namespace weir::host {
namespace {

constexpr std::chrono::milliseconds follow_wait{200};

/// One partition: what was fetched and not yet printed.
struct Cursor {
  std::int32_t partition = 0;
  std::int64_t end = 0;  ///< where to stop when not following
  std::unique_ptr<Reader> reader;
  std::span<const Record> batch;
  std::size_t next = 0;
};

class Consuming {
 public:
  explicit Consuming(const ConsumeOptions& options) : options_(options) {}

  Result<void> run() {
    WEIR_TRY(opened_, open_log(options_.log, LogAccess::read));
    WEIR_TRY(const TopicInfo topic, find_topic(*opened_.log, options_.topic));
    find_type();
    WEIR_CHECK(open_partitions(topic));
    for (;;) {
      WEIR_CHECK(fetch());
      while (Cursor* cursor = earliest()) {
        if (is_done()) return {};
        print(*cursor);
        if (cursor->next == cursor->batch.size()) WEIR_CHECK(fetch());
      }
      if (is_done() || (!options_.follow && is_at_end())) return {};
      (void)flush_data();
      opened_.log->wait_for_records(follow_wait);
    }
  }

 private:
  bool is_done() const { return options_.limit != 0 && printed_ >= options_.limit; }

  /// A log may have nothing at the moment and more before the end.
  bool is_at_end() const {
    return std::ranges::all_of(
        cursors_, [](const Cursor& cursor) { return cursor.reader->position() >= cursor.end; });
  }

  void find_type() {
    if (!opened_.config) return;
    std::vector<Finding> ignored;  // a plugin that cannot be read costs the JSON, not the records
    schemas_ = AppSchemas::read(*opened_.config, ignored);
    const auto* type = schemas_.type_of_topic(*opened_.config, options_.topic);
    if (type != nullptr) printer_ = std::make_unique<MessagePrinter>(type);
  }

  Result<void> open_partitions(const TopicInfo& topic) {
    if (options_.partition &&
        (*options_.partition < 0 || *options_.partition >= topic.partition_count)) {
      return error(Errc::usage, "{} has partitions 0 to {}, not {}", topic.name,
                   topic.partition_count - 1, *options_.partition);
    }
    for (std::int32_t p = 0; p < topic.partition_count; ++p) {
      if (options_.partition && p != *options_.partition) continue;
      const TopicPartition partition{topic.name, p};
      WEIR_TRY(const OffsetRange range, opened_.log->offsets(partition));
      WEIR_TRY(const std::int64_t from, start_of(partition, range));
      Cursor cursor;
      cursor.partition = p;
      cursor.end = range.end;
      WEIR_TRY(cursor.reader, opened_.log->open_reader(partition, from));
      cursors_.push_back(std::move(cursor));
    }
    return {};
  }

  Result<std::int64_t> start_of(const TopicPartition& partition, OffsetRange range) {
    const std::string& from = options_.from;
    if (from == "earliest") return range.begin;
    if (from == "latest") return range.end;
    if (const auto offset = to_number<std::int64_t>(from); offset >= 0) {
      return std::clamp(*offset, range.begin, range.end);
    }
    const auto time_ms = parse_time_ms(from);
    if (time_ms) return opened_.log->offset_at(partition, *time_ms);
    return error(Errc::usage,
                 "--from {}: expected earliest, latest, an offset or a time such as "
                 "2026-01-31T00:00:00Z",
                 printable(from));
  }

  /// Fills every cursor that has nothing left to print.
  Result<void> fetch() {
    for (Cursor& cursor : cursors_) {
      if (cursor.next < cursor.batch.size()) continue;
      cursor.batch = {};
      cursor.next = 0;
      if (!options_.follow && cursor.reader->position() >= cursor.end) continue;
      WEIR_TRY(cursor.batch, cursor.reader->fetch({}));
    }
    return {};
  }

  /// The cursor whose next record is the oldest; null when all are empty.
  Cursor* earliest() {
    Cursor* best = nullptr;
    for (Cursor& cursor : cursors_) {
      if (cursor.next == cursor.batch.size()) continue;
      const Record& record = cursor.batch[cursor.next];
      if (!options_.follow && record.offset >= cursor.end) continue;
      if (best == nullptr || record.timestamp_ms < best->batch[best->next].timestamp_ms) {
        best = &cursor;
      }
    }
    return best;
  }

  void print(Cursor& cursor) {
    const Record& record = cursor.batch[cursor.next++];
    std::optional<std::string> json;  // absent: the bytes are shown as they are
    if (printer_ && record.value) {
      if (auto printed = printer_->print(*record.value)) json = *std::move(printed);
    }
    print_line(record_line(cursor.partition, record, json));
    ++printed_;
  }

  const ConsumeOptions& options_;
  OpenLog opened_;
  AppSchemas schemas_;
  std::unique_ptr<MessagePrinter> printer_;
  std::vector<Cursor> cursors_;  // after opened_: readers go before their log
  std::uint64_t printed_ = 0;
};

}  // namespace

ExitCode command_consume(const ConsumeOptions& options) {
  Consuming consuming(options);
  const auto result = consuming.run();
  return result ? ExitCode::ok : fail(result.error());
}

}  // namespace weir::host
