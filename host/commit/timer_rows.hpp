#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/timer.hpp"
#include "commit/rows.hpp"
#include "commit/task_store.hpp"
#include "commit/undo_log.hpp"
#include "lmdb/environment.hpp"

namespace weir::host {

/// The timers of a task: "timers" has a key's timer, "due" has the same ones in the order in which
/// they come due. Every timer is in both. Through the caller's transaction.
class TimerRows {
 public:
  /// Both outlive this. `undo` null: it only reads.
  explicit TimerRows(const Rows& rows, UndoLog* undo = nullptr) : rows_(&rows), undo_(undo) {}

  /// LMDB's result. Without MDB_CREATE in `flags` MDB_NOTFOUND: a task that never had any.
  int open(MDB_txn* txn, unsigned flags);

  /// Errc::corrupt: the row is damaged.
  Result<std::optional<Timer>> get(MDB_txn* txn, ResolverId resolver, std::string_view key) const;

  /// Up to `count` in the order of (time, key), behind `after`; null: the first ones.
  Result<std::vector<KeyTimer>> next(MDB_txn* txn, ResolverId resolver, const KeyTimer* after,
                                     std::size_t count) const;

  Result<std::uint64_t> count(MDB_txn* txn, ResolverId resolver) const;

  /// Deletes all timers of all resolvers; LMDB's result.
  int drop(MDB_txn* txn) const;

  /// LMDB's result; MDB_CORRUPTED: a row that has to go is damaged.
  int put(MDB_txn* txn, std::span<const StoredTimerChange> changes) const;

 private:
  int put(MDB_txn* txn, const StoredTimerChange& change) const;
  int remove(MDB_txn* txn, MDB_dbi dbi, std::string_view key) const;
  Error corrupt(std::string_view key, std::string_view what) const;

  const Rows* rows_;
  UndoLog* undo_;
  MDB_dbi timers_ = 0;
  MDB_dbi due_ = 0;
};

}  // namespace weir::host
