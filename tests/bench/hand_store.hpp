#pragma once

#include <lmdb.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "commit/row.hpp"
#include "log/log.hpp"
#include "weir/v1/task.pb.h"

namespace weir::host::bench {

constexpr std::size_t outbox_chunk_bytes = std::size_t{256} << 10;

inline void ok(int code) { WEIR_ASSERT(code == 0, mdb_strerror(code)); }

inline MDB_val to_val(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

/// One environment: States, the outbox, and how far the log has been read.
template <typename State>
class Store {
 public:
  struct Entry {
    std::string key;
    State state;
    bool changed = false;
  };

  explicit Store(const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory);
    ok(mdb_env_create(&env_));
    ok(mdb_env_set_mapsize(env_, std::size_t{64} << 30));
    ok(mdb_env_set_maxdbs(env_, 4));
    ok(mdb_env_open(env_, directory.c_str(), MDB_NOTLS, 0644));
    MDB_txn* txn = nullptr;
    ok(mdb_txn_begin(env_, nullptr, 0, &txn));
    ok(mdb_dbi_open(txn, "states", MDB_CREATE, &states_));
    ok(mdb_dbi_open(txn, "outbox", MDB_CREATE, &outbox_));
    ok(mdb_dbi_open(txn, "meta", MDB_CREATE, &meta_));
    ok(mdb_txn_commit(txn));
    ok(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reading_));
  }
  ~Store() {
    mdb_txn_abort(reading_);
    mdb_env_close(env_);
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void load(Entry& entry) {
    MDB_val key = to_val(entry.key);
    MDB_val value{};
    const int code = mdb_get(reading_, states_, &key, &value);
    if (code == MDB_NOTFOUND) return;
    ok(code);
    Row row;
    const std::string_view stored(static_cast<const char*>(value.mv_data), value.mv_size);
    WEIR_ASSERT(read_row(entry.key, stored, row) == RowFault::none, "its own store");
    WEIR_ASSERT(
        entry.state.ParseFromArray(row.payload.data(), static_cast<int>(row.payload.size())),
        "its own State");
  }

  void commit(std::vector<Entry*>& changed, std::span<const std::string> outbox,
              const v1::Head& head) {
    std::sort(changed.begin(), changed.end(),
              [](const Entry* a, const Entry* b) { return a->key < b->key; });
    MDB_txn* txn = nullptr;
    ok(mdb_txn_begin(env_, nullptr, 0, &txn));
    MDB_cursor* cursor = nullptr;
    ok(mdb_cursor_open(txn, states_, &cursor));
    for (Entry* entry : changed) {
      const std::size_t size = entry->state.ByteSizeLong();
      MDB_val key = to_val(entry->key);
      MDB_val value{row_header_bytes + size, nullptr};
      ok(mdb_cursor_put(cursor, &key, &value, MDB_RESERVE));
      auto* row = static_cast<char*>(value.mv_data);
      auto* payload = reinterpret_cast<std::uint8_t*>(row) + row_header_bytes;
      entry->state.SerializeWithCachedSizesToArray(payload);
      write_row_header(row, entry->key, 1, {row + row_header_bytes, size});
      entry->changed = false;
    }
    mdb_cursor_close(cursor);
    changed.clear();
    if (outbox_used_) ok(mdb_drop(txn, outbox_, 0));
    for (std::uint32_t i = 0; i < outbox.size(); ++i) {
      put(txn, outbox_, {reinterpret_cast<const char*>(&i), sizeof i}, outbox[i]);
    }
    put(txn, meta_, "head", head.SerializeAsString());
    ok(mdb_txn_commit(txn));
    outbox_used_ = !outbox.empty();
    mdb_txn_reset(reading_);
    ok(mdb_txn_renew(reading_));
  }

 private:
  static void put(MDB_txn* txn, MDB_dbi table, std::string_view name, std::string_view payload) {
    MDB_val key = to_val(name);
    MDB_val value{row_header_bytes + payload.size(), nullptr};
    ok(mdb_put(txn, table, &key, &value, MDB_RESERVE));
    auto* row = static_cast<char*>(value.mv_data);
    if (!payload.empty()) std::memcpy(row + row_header_bytes, payload.data(), payload.size());
    write_row_header(row, name, 0, payload);
  }

  MDB_env* env_ = nullptr;
  MDB_dbi states_ = 0;
  MDB_dbi outbox_ = 0;
  MDB_dbi meta_ = 0;
  MDB_txn* reading_ = nullptr;
  bool outbox_used_ = false;
};

/// Features of one commit: key size, value size, timestamp, key, value; in chunks.
class Outbox {
 public:
  template <typename Feature>
  void append(std::string_view key, std::int64_t timestamp_ms, const Feature& feature) {
    if (chunks_.empty() || chunks_.back().size() >= outbox_chunk_bytes) chunks_.emplace_back();
    std::string& chunk = chunks_.back();
    const std::size_t size = feature.ByteSizeLong();
    append_le(chunk, static_cast<std::uint32_t>(key.size()));
    append_le(chunk, static_cast<std::uint32_t>(size));
    append_le(chunk, timestamp_ms);
    chunk += key;
    const std::size_t at = chunk.size();
    chunk.resize(at + size);
    feature.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(chunk.data()) + at);
    bytes_ += 16 + key.size() + size;
  }
  std::span<const std::string> chunks() const { return chunks_; }
  std::size_t bytes() const { return bytes_; }

  std::vector<NewRecord> records(const std::string& topic) const {
    std::vector<NewRecord> records;
    for (const std::string& chunk : chunks_) {
      for (std::size_t at = 0; at < chunk.size();) {
        const auto key_size = load_le<std::uint32_t>(&chunk[at]);
        const auto size = load_le<std::uint32_t>(&chunk[at + 4]);
        const auto timestamp_ms = load_le<std::int64_t>(&chunk[at + 8]);
        const std::string_view bytes = std::string_view(chunk).substr(at + 16, key_size + size);
        records.push_back({.topic = topic,
                           .partition = 0,
                           .key = bytes.substr(0, key_size),
                           .value = bytes.substr(key_size),
                           .headers = {},
                           .timestamp_ms = timestamp_ms});
        at += 16 + bytes.size();
      }
    }
    return records;
  }

 private:
  std::vector<std::string> chunks_;
  std::size_t bytes_ = 0;
};

}  // namespace weir::host::bench
