#include "commit/timer_rows.hpp"

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "commit/names.hpp"
#include "commit/row.hpp"

namespace weir::host {

namespace {

std::int64_t time_of(std::string_view due_key) {
  std::uint64_t ordered = 0;
  for (std::size_t i = sizeof(ResolverId); i < names::due_key_head_bytes; ++i) {
    ordered = ordered << 8 | static_cast<unsigned char>(due_key[i]);
  }
  return static_cast<std::int64_t>(ordered ^ (std::uint64_t{1} << 63));
}

}  // namespace

int TimerRows::open(MDB_txn* txn, unsigned flags) {
  if (const int code = mdb_dbi_open(txn, names::timers, flags, &timers_); code != 0) return code;
  if (const int code = mdb_dbi_open(txn, names::due, flags, &due_); code != 0) return code;
  if (undo_ == nullptr) return 0;
  undo_->watch(timers_, names::timers);
  undo_->watch(due_, names::due);
  return 0;
}

Error TimerRows::corrupt(std::string_view key, std::string_view what) const {
  return rows_->corrupt(fmt::format("the timer of key \"{}\"", printable(key)), what);
}

Result<std::optional<Timer>> TimerRows::get(MDB_txn* txn, ResolverId resolver,
                                            std::string_view key) const {
  if (key.size() > timer_key_bytes_max) return std::optional<Timer>();
  v1::Timer stored;
  WEIR_TRY(const bool found, rows_->get(txn, timers_, names::timer_key(resolver, key), &stored,
                                        fmt::format("the timer of key \"{}\"", printable(key))));
  if (!found) return std::optional<Timer>();
  return std::optional<Timer>(Timer{stored.at_ms(), stored.attempts()});
}

Result<std::vector<KeyTimer>> TimerRows::next(MDB_txn* txn, ResolverId resolver,
                                              const KeyTimer* after, std::size_t count) const {
  const std::string prefix = names::timer_prefix(resolver);
  const std::string from =
      after == nullptr ? prefix : names::due_key(resolver, after->timer.at_ms, after->key);
  std::vector<KeyTimer> found;
  Cursor cursor;
  int code = cursor.open(txn, due_);
  MDB_val key = to_val(from);
  MDB_val value{};
  if (code == 0) code = mdb_cursor_get(cursor.get(), &key, &value, MDB_SET_RANGE);
  if (code == 0 && to_view(key) == from) {
    code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT);
  }
  for (; code == 0 && found.size() < count && to_view(key).starts_with(prefix);
       code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) {
    const std::string_view due = to_view(key);
    Row row;
    const RowFault fault = read_row(due, to_view(value), row);
    if (fault != RowFault::none) return corrupt(due, describe(fault, to_view(value)));
    if (due.size() <= names::due_key_head_bytes) return corrupt(due, "has no key");
    KeyTimer one{std::string(due.substr(names::due_key_head_bytes)), {}};
    WEIR_TRY(const auto timer, get(txn, resolver, one.key));
    if (!timer || timer->at_ms != time_of(due)) {
      return corrupt(one.key, "does not agree with its row in \"due\"");
    }
    one.timer = *timer;
    found.push_back(std::move(one));
  }
  if (code != 0 && code != MDB_NOTFOUND) return rows_->failed(code);
  return found;
}

Result<std::uint64_t> TimerRows::count(MDB_txn* txn, ResolverId resolver) const {
  const std::string prefix = names::timer_prefix(resolver);
  std::uint64_t found = 0;
  Cursor cursor;
  int code = cursor.open(txn, due_);
  MDB_val key = to_val(prefix);
  MDB_val value{};
  if (code == 0) code = mdb_cursor_get(cursor.get(), &key, &value, MDB_SET_RANGE);
  while (code == 0 && to_view(key).starts_with(prefix)) {
    ++found;
    code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT);
  }
  if (code != 0 && code != MDB_NOTFOUND) return rows_->failed(code);
  return found;
}

int TimerRows::drop(MDB_txn* txn) const {
  if (const int code = mdb_drop(txn, timers_, 0); code != 0) return code;
  return mdb_drop(txn, due_, 0);
}

int TimerRows::put(MDB_txn* txn, std::span<const StoredTimerChange> changes) const {
  for (const StoredTimerChange& change : changes) {
    if (const int code = put(txn, change); code != 0) return code;
  }
  return 0;
}

int TimerRows::remove(MDB_txn* txn, MDB_dbi dbi, std::string_view key) const {
  if (const int code = undo_->keep(txn, dbi, key); code != 0) return code;
  MDB_val k = to_val(key);
  return mdb_del(txn, dbi, &k, nullptr);
}

int TimerRows::put(MDB_txn* txn, const StoredTimerChange& change) const {
  if (change.key.size() > timer_key_bytes_max) return 0;  // cannot have one
  const std::string key = names::timer_key(change.resolver, change.key);
  MDB_val k = to_val(key);
  MDB_val v{};
  int code = mdb_get(txn, timers_, &k, &v);
  if (code != 0 && code != MDB_NOTFOUND) return code;
  if (code == 0) {
    Row row;
    v1::Timer old;
    if (read_row(key, to_view(v), row) != RowFault::none ||
        !old.ParseFromArray(row.payload.data(), static_cast<int>(row.payload.size()))) {
      return MDB_CORRUPTED;
    }
    if (change.timer == Timer{old.at_ms(), old.attempts()}) return 0;
    code = remove(txn, due_, names::due_key(change.resolver, old.at_ms(), change.key));
    if (code != 0) return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
    if (!change.timer) return remove(txn, timers_, key);
  }
  if (!change.timer) return 0;
  v1::Timer timer;
  timer.set_at_ms(change.timer->at_ms);
  timer.set_attempts(change.timer->attempts);
  const std::string due = names::due_key(change.resolver, change.timer->at_ms, change.key);
  if (code = undo_->keep(txn, timers_, key); code != 0) return code;
  if (code = undo_->keep(txn, due_, due); code != 0) return code;
  if (code = Rows::put(txn, timers_, key, timer); code != 0) return code;
  return Rows::put(txn, due_, due, std::string_view());
}

}  // namespace weir::host
