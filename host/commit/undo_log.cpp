#include "commit/undo_log.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace weir::host {

namespace {

constexpr std::string_view prefix = "undo.";

/// The names of the databases that have rows kept of them.
int kept_names(MDB_txn* txn, std::vector<std::string>& names) {
  MDB_dbi main = 0;
  if (const int code = mdb_dbi_open(txn, nullptr, 0, &main); code != 0) return code;
  Cursor cursor;
  int code = cursor.open(txn, main);
  MDB_val key = to_val(prefix);
  MDB_val value{};
  if (code == 0) code = mdb_cursor_get(cursor.get(), &key, &value, MDB_SET_RANGE);
  while (code == 0 && to_view(key).starts_with(prefix)) {
    names.emplace_back(to_view(key).substr(prefix.size()));
    code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT);
  }
  return code == MDB_NOTFOUND ? 0 : code;
}

int put_back(MDB_txn* txn, MDB_dbi undo, MDB_dbi dbi) {
  Cursor cursor;
  int code = cursor.open(txn, undo);
  MDB_val key{};
  MDB_val row{};
  if (code == 0) code = mdb_cursor_get(cursor.get(), &key, &row, MDB_FIRST);
  while (code == 0) {
    if (row.mv_size == 0) {
      code = mdb_del(txn, dbi, &key, nullptr);
      if (code == MDB_NOTFOUND) code = 0;  // it came and went
    } else {
      code = mdb_put(txn, dbi, &key, &row, 0);
    }
    if (code == 0) code = mdb_cursor_get(cursor.get(), &key, &row, MDB_NEXT);
  }
  return code == MDB_NOTFOUND ? 0 : code;
}

}  // namespace

void UndoLog::watch(MDB_dbi dbi, const std::string& name) {
  const auto known = std::ranges::find(watched_, name, &Watched::name);
  if (known == watched_.end()) {
    watched_.push_back({dbi, name, 0});
  } else {
    known->dbi = dbi;
  }
}

int UndoLog::begin(MDB_txn* txn, bool active) {
  active_ = active;
  if (!active) return 0;
  for (Watched& one : watched_) {
    const std::string name = std::string(prefix) + one.name;
    const int code = mdb_dbi_open(txn, name.c_str(), MDB_CREATE, &one.undo);
    if (code != 0) return code;
  }
  return 0;
}

int UndoLog::keep_row(MDB_txn* txn, MDB_dbi dbi, std::string_view key) const {
  const auto watched = std::ranges::find(watched_, dbi, &Watched::dbi);
  WEIR_ASSERT(watched != watched_.end(), "keep() of a database that is not watched");
  MDB_val k = to_val(key);
  MDB_val row{};
  int code = mdb_get(txn, watched->undo, &k, &row);
  if (code != MDB_NOTFOUND) return code;  // it has changed before
  code = mdb_get(txn, dbi, &k, &row);
  if (code == MDB_NOTFOUND) {
    row = {};
  } else if (code != 0) {
    return code;
  }
  // The row lies in a page that mdb_put() may move.
  const std::string copy(to_view(row));
  row = to_val(copy);
  return mdb_put(txn, watched->undo, &k, &row, 0);
}

int UndoLog::restore(MDB_txn* txn) {
  std::vector<std::string> names;
  if (const int code = kept_names(txn, names); code != 0) return code;
  for (const std::string& name : names) {
    MDB_dbi undo = 0;
    MDB_dbi dbi = 0;
    int code = mdb_dbi_open(txn, (std::string(prefix) + name).c_str(), 0, &undo);
    if (code == 0) code = mdb_dbi_open(txn, name.c_str(), 0, &dbi);
    if (code == 0) code = put_back(txn, undo, dbi);
    if (code != 0) return code;
  }
  return 0;
}

int UndoLog::forget(MDB_txn* txn) {
  std::vector<std::string> names;
  if (const int code = kept_names(txn, names); code != 0) return code;
  for (const std::string& name : names) {
    MDB_dbi undo = 0;
    int code = mdb_dbi_open(txn, (std::string(prefix) + name).c_str(), 0, &undo);
    if (code == 0) code = mdb_drop(txn, undo, /*del=*/1);
    if (code != 0) return code;
  }
  return 0;
}

}  // namespace weir::host
