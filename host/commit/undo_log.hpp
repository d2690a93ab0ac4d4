#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lmdb/environment.hpp"

namespace weir::host {

/// What a task's rows were when the log began: for each row that has changed since, the row as it
/// stood then, under the same key in a database "undo.<name>" beside the one that it belongs to; an
/// empty value where there was none. Through the caller's transactions; results are LMDB's.
class UndoLog {
 public:
  /// From the next begin() on, the rows of `dbi`, which is called `name`, can be kept.
  void watch(MDB_dbi dbi, const std::string& name);

  /// Before the first keep() of a write transaction: whether it keeps anything. Makes the databases
  /// that are missing.
  int begin(MDB_txn* txn, bool active);

  /// Before the row of `key` in `dbi`, which is watched, changes, goes or comes.
  int keep(MDB_txn* txn, MDB_dbi dbi, std::string_view key) const {
    return active_ ? keep_row(txn, dbi, key) : 0;
  }

  /// Every row is again what it was when the log began, also in databases that nobody watches now.
  static int restore(MDB_txn* txn);

  /// Nothing is kept any more.
  static int forget(MDB_txn* txn);

 private:
  struct Watched {
    MDB_dbi dbi = 0;
    std::string name;
    MDB_dbi undo = 0;
  };
  int keep_row(MDB_txn* txn, MDB_dbi dbi, std::string_view key) const;

  std::vector<Watched> watched_;
  bool active_ = false;
};

}  // namespace weir::host
