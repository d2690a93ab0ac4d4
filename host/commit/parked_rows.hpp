#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "commit/rows.hpp"
#include "commit/task_store.hpp"
#include "commit/undo_log.hpp"
#include "lmdb/environment.hpp"

namespace weir::host {

/// What waits in a task: "parked" has the keys, "parked_records" the records of each in their
/// order. Through the caller's transaction.
class ParkedRows {
 public:
  /// Both outlive this. `undo` null: it only reads.
  explicit ParkedRows(const Rows& rows, UndoLog* undo = nullptr) : rows_(&rows), undo_(undo) {}

  /// LMDB's result. Without MDB_CREATE in `flags` MDB_NOTFOUND: a task of a host that knew none.
  int open(MDB_txn* txn, unsigned flags);

  /// Up to `count` in the order of their numbers, those behind `after`. Errc::corrupt: a row is
  /// damaged.
  Result<std::vector<StoredParkedKey>> keys(MDB_txn* txn, std::uint64_t after,
                                            std::size_t count) const;

  /// The records of `key` from `sequence` on: at least one, then up to `limit.records` and about
  /// `limit.bytes`. Errc::corrupt: one is damaged or missing.
  Result<std::vector<v1::ParkedRecord>> records(MDB_txn* txn, const StoredParkedKey& key,
                                                std::uint64_t sequence, ParkedLimit limit) const;

  /// How many records wait; LMDB's result.
  int count(MDB_txn* txn, std::uint64_t& records) const;

  /// The keys of resolver `from` belong to `to` from now on.
  Result<int> rename(MDB_txn* txn, std::string_view from, const std::string& to) const;

  /// Deletes all; LMDB's result.
  int drop(MDB_txn* txn) const;

  /// LMDB's result; MDB_CORRUPTED: a row that has to change is damaged.
  int put(MDB_txn* txn, std::span<const ParkedChange> changes) const;

 private:
  int put(MDB_txn* txn, const ParkedChange& change) const;
  int remove_records(MDB_txn* txn, std::uint64_t number, std::uint64_t first,
                     std::uint64_t next) const;
  Error corrupt(std::uint64_t number, std::string_view what) const;

  const Rows* rows_;
  UndoLog* undo_;
  MDB_dbi keys_ = 0;
  MDB_dbi records_ = 0;
};

}  // namespace weir::host
