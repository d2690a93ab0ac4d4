#include <utility>

#include "base/assert.hpp"
#include "log/embedded_tables.hpp"
#include "log/rules.hpp"

namespace weir::host {
namespace {

class EmbeddedReader final : public Reader {
 public:
  EmbeddedReader(std::shared_ptr<EmbeddedTables> tables, PartitionRef partition,
                 std::int64_t offset)
      : tables_(std::move(tables)),
        environment_(*tables_->environment()),
        partition_(std::move(partition)),
        key_(partition_.topic_id, partition_.partition),
        snapshot_(tables_->environment()),
        cursor_(nullptr, mdb_cursor_close) {
    next_.offset = offset;
  }

  Result<std::span<const Record>> fetch(FetchLimit limit) override {
    snapshot_.rest();
    buffer_.start(limit);
    if (nothing_since_ && *nothing_since_ == environment_.lmdb().last_transaction()) return empty();
    WEIR_CHECK(look());
    WEIR_TRY(const OffsetRange range, tables_->range(snapshot_, partition_.topic, key_));
    if (next_.offset < range.begin || next_.offset > range.end) {
      snapshot_.rest();
      return position_out_of_range(partition_.topic, partition_.partition, next_.offset, range);
    }
    if (auto filled = fill(range.end); !filled && buffer_.records().empty()) {
      snapshot_.rest();
      return std::move(filled).error();
    }
    if (!buffer_.records().empty()) return buffer_.records();
    nothing_since_ = snapshot_.number();
    snapshot_.rest();  // an idle reader holds no pages
    return empty();
  }

  std::int64_t position() const override { return next_.offset; }

  Result<void> seek(std::int64_t offset) override {
    snapshot_.rest();
    if (offset != next_.offset) {
      next_ = {offset, 0};
      batch_base_.reset();
      nothing_since_.reset();
    }
    return {};
  }

 private:
  static std::span<const Record> empty() { return {}; }

  Result<void> look() {
    WEIR_CHECK(snapshot_.renew());
    int code = 0;
    if (cursor_ != nullptr) {
      code = mdb_cursor_renew(snapshot_.transaction(), cursor_.get());
    } else {
      MDB_cursor* opened = nullptr;
      code = mdb_cursor_open(snapshot_.transaction(),
                             environment_.dbi(LogEnvironment::Table::records), &opened);
      cursor_.reset(opened);
    }
    if (code != 0) return environment_.error(code, "read");
    return {};
  }

  /// Takes records up to `end` until the limit; keeps what it took when a batch is broken.
  Result<void> fill(std::int64_t end) {
    for (bool behind_last = false; next_.offset < end && !buffer_.full(); behind_last = true) {
      WEIR_TRY(auto batch, behind_last ? following() : Result(std::optional<BatchView>{}));
      if (!batch) {
        WEIR_TRY(batch, find_batch(environment_, cursor_.get(), partition_, next_.offset));
      }
      if (!batch || batch->base_offset() >= end) {
        next_.offset = end;  // only offsets without records are left
        return {};
      }
      if (batch_base_ != batch->base_offset()) WEIR_CHECK(enter(*batch));
      WEIR_CHECK(buffer_.take(*batch, next_));
    }
    return {};
  }

  /// The cursor's next batch, if it begins at the position: no search from the root, which matters
  /// where a batch holds one record.
  Result<std::optional<BatchView>> following() {
    MDB_val key{};
    MDB_val value{};
    const BatchKey wanted(partition_.topic_id, partition_.partition, next_.offset);
    if (mdb_cursor_get(cursor_.get(), &key, &value, MDB_NEXT) != 0 ||
        to_view(key) != std::string_view(wanted)) {
      return std::optional<BatchView>{};
    }
    WEIR_TRY(auto batch, BatchView::open(partition_.place(next_.offset), to_view(value)));
    return std::optional(batch);
  }

  /// Checks a batch once, and finds the position in it. Batches never change, so the byte position
  /// stays right for later snapshots.
  Result<void> enter(const BatchView& batch) {
    WEIR_CHECK(batch.verify());
    BatchView::Cursor at = batch.begin();
    while (at.offset < next_.offset) WEIR_CHECK(batch.skip(at));
    next_ = at;
    batch_base_ = batch.base_offset();
    return {};
  }

  std::shared_ptr<EmbeddedTables> tables_;
  const LogEnvironment& environment_;
  PartitionRef partition_;
  PartitionKey key_;
  LogSnapshot snapshot_;
  std::unique_ptr<MDB_cursor, decltype(&mdb_cursor_close)> cursor_;
  BatchView::Cursor next_;
  std::optional<std::int64_t> batch_base_;      // of the batch that next_.byte counts in
  std::optional<std::uint64_t> nothing_since_;  // the transaction in which there was nothing left
  FetchBuffer buffer_;
};

}  // namespace

Result<std::optional<BatchView>> find_batch(const LogEnvironment& environment, MDB_cursor* cursor,
                                            const PartitionRef& partition, std::int64_t position) {
  const PartitionKey prefix(partition.topic_id, partition.partition);
  const auto in_partition = [&](const MDB_val& key) {
    return to_view(key).substr(0, sizeof prefix) == std::string_view(prefix);
  };
  const BatchKey wanted(partition.topic_id, partition.partition, position);
  MDB_val key = to_val(wanted);
  MDB_val value{};
  int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
  const bool after = code == 0 && in_partition(key);
  if (after && BatchKey::base_offset(to_view(key)) == position) {
    WEIR_TRY(auto batch, BatchView::open(partition.place(position), to_view(value)));
    return std::optional(batch);
  }
  if (code != 0 && code != MDB_NOTFOUND) return environment.error(code, "read");

  // The position is in the batch before, or in a gap after it.
  MDB_val before_key{};
  MDB_val before_value{};
  const int before =
      mdb_cursor_get(cursor, &before_key, &before_value, code == 0 ? MDB_PREV : MDB_LAST);
  if (before != 0 && before != MDB_NOTFOUND) return environment.error(before, "read");
  if (before == 0 && in_partition(before_key)) {
    const std::int64_t base = BatchKey::base_offset(to_view(before_key));
    WEIR_TRY(auto batch, BatchView::open(partition.place(base), to_view(before_value)));
    if (batch.end_offset() > position) return std::optional(batch);
  }
  if (!after) return std::optional<BatchView>{};
  WEIR_TRY(auto batch,
           BatchView::open(partition.place(BatchKey::base_offset(to_view(key))), to_view(value)));
  return std::optional(batch);
}

Result<std::unique_ptr<Reader>> open_embedded_reader(std::shared_ptr<EmbeddedTables> tables,
                                                     PartitionRef partition, std::int64_t offset) {
  return std::unique_ptr<Reader>(
      std::make_unique<EmbeddedReader>(std::move(tables), std::move(partition), offset));
}

}  // namespace weir::host
