#include "commit/parked_rows.hpp"

#include <algorithm>
#include <limits>

#include "base/assert.hpp"
#include "commit/names.hpp"
#include "commit/row.hpp"

namespace weir::host {

namespace {

std::string name_of_key(std::uint64_t number) { return fmt::format("the parked key {}", number); }

}  // namespace

int ParkedRows::open(MDB_txn* txn, unsigned flags) {
  if (const int code = mdb_dbi_open(txn, names::parked, flags, &keys_); code != 0) return code;
  const int code = mdb_dbi_open(txn, names::parked_records, flags, &records_);
  if (code != 0 || undo_ == nullptr) return code;
  undo_->watch(keys_, names::parked);
  undo_->watch(records_, names::parked_records);
  return 0;
}

Error ParkedRows::corrupt(std::uint64_t number, std::string_view what) const {
  return rows_->corrupt(name_of_key(number), what);
}

Result<std::vector<StoredParkedKey>> ParkedRows::keys(MDB_txn* txn, std::uint64_t after,
                                                      std::size_t count) const {
  std::vector<StoredParkedKey> found;
  const std::string from = names::parked_key(after + 1);
  Cursor cursor;
  int code = cursor.open(txn, keys_);
  MDB_val key = to_val(from);
  MDB_val value{};
  if (code == 0) code = mdb_cursor_get(cursor.get(), &key, &value, MDB_SET_RANGE);
  for (; code == 0 && found.size() < count;
       code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) {
    if (to_view(key).size() != from.size()) {
      return rows_->corrupt("a parked key", "has no number of 8 bytes");
    }
    StoredParkedKey one{names::parked_number(to_view(key)), {}};
    WEIR_CHECK(rows_->parse(to_view(key), to_view(value), &one.key, name_of_key(one.number)));
    if (one.key.first() >= one.key.next()) return corrupt(one.number, "has no records");
    found.push_back(std::move(one));
  }
  if (code != 0 && code != MDB_NOTFOUND) return rows_->failed(code);
  return found;
}

Result<std::vector<v1::ParkedRecord>> ParkedRows::records(MDB_txn* txn, const StoredParkedKey& key,
                                                          std::uint64_t sequence,
                                                          ParkedLimit limit) const {
  std::vector<v1::ParkedRecord> found;
  std::size_t bytes = 0;
  for (; sequence < key.key.next() && found.size() < limit.records && bytes < limit.bytes;
       ++sequence) {
    const std::string row = names::parked_record_key(key.number, sequence);
    WEIR_TRY(const bool is_there,
             rows_->get(txn, records_, row, &found.emplace_back(),
                        fmt::format("record {} of parked key {}", sequence, key.number)));
    if (!is_there) return corrupt(key.number, fmt::format("lacks its record {}", sequence));
    bytes += found.back().ByteSizeLong();
  }
  return found;
}

int ParkedRows::count(MDB_txn* txn, std::uint64_t& records) const {
  MDB_stat stat{};
  const int code = mdb_stat(txn, records_, &stat);
  records = stat.ms_entries;
  return code;
}

Result<int> ParkedRows::rename(MDB_txn* txn, std::string_view from, const std::string& to) const {
  WEIR_TRY(auto all, keys(txn, 0, std::numeric_limits<std::size_t>::max()));
  for (StoredParkedKey& one : all) {
    if (one.key.resolver() != from) continue;
    one.key.set_resolver(to);
    const std::string row = names::parked_key(one.number);
    int code = undo_->keep(txn, keys_, row);
    if (code == 0) code = Rows::put(txn, keys_, row, one.key);
    if (code != 0) return code;
  }
  return 0;
}

int ParkedRows::drop(MDB_txn* txn) const {
  if (const int code = mdb_drop(txn, keys_, 0); code != 0) return code;
  return mdb_drop(txn, records_, 0);
}

int ParkedRows::put(MDB_txn* txn, std::span<const ParkedChange> changes) const {
  for (const ParkedChange& change : changes) {
    if (const int code = put(txn, change); code != 0) return code;
  }
  return 0;
}

int ParkedRows::put(MDB_txn* txn, const ParkedChange& change) const {
  WEIR_ASSERT(
      change.key == nullptr || change.appended_from + change.appended.size() == change.key->next(),
      "the records that are appended are the last ones");
  const std::string row = names::parked_key(change.number);
  if (const int kept = undo_->keep(txn, keys_, row); kept != 0) return kept;
  MDB_val k = to_val(row);
  MDB_val v{};
  int code = mdb_get(txn, keys_, &k, &v);
  if (code != 0 && code != MDB_NOTFOUND) return code;
  if (code == 0) {
    v1::ParkedKey old;
    if (!rows_->parse(row, to_view(v), &old, name_of_key(change.number))) return MDB_CORRUPTED;
    const std::uint64_t first = change.key == nullptr ? old.next() : change.key->first();
    code = remove_records(txn, change.number, old.first(), std::min(first, old.next()));
    if (code != 0) return code;
    if (change.key == nullptr) return mdb_del(txn, keys_, &k, nullptr);
  }
  if (change.key == nullptr) return 0;
  std::uint64_t sequence = change.appended_from;
  for (const std::string& record : change.appended) {
    const std::string record_row = names::parked_record_key(change.number, sequence++);
    if (code = undo_->keep(txn, records_, record_row); code != 0) return code;
    if (code = Rows::put(txn, records_, record_row, record); code != 0) return code;
  }
  return Rows::put(txn, keys_, row, *change.key);
}

int ParkedRows::remove_records(MDB_txn* txn, std::uint64_t number, std::uint64_t first,
                               std::uint64_t next) const {
  for (; first < next; ++first) {
    const std::string row = names::parked_record_key(number, first);
    MDB_val key = to_val(row);
    int code = undo_->keep(txn, records_, row);
    if (code == 0) code = mdb_del(txn, records_, &key, nullptr);
    if (code != 0) return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
  }
  return 0;
}

}  // namespace weir::host
