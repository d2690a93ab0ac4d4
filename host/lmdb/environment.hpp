#pragma once

#include <lmdb.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::host {

/// LMDB with owners, for commit/ and the embedded log: the sharp edges are handled here, once.
///
/// - MDB_NOTLS always: a reader slot belongs to its transaction, and environments beyond 1,024 do
///   not run out of thread keys.
/// - Never MDB_WRITEMAP: the map stays read-only memory, so that a stray pointer of a plugin is a
///   crash and not a damaged State.
/// - The map never grows while open: with a live read transaction old pointers would dangle.
/// - One environment per path and process: closing a second one would drop the process's fcntl
///   locks, and with them the protection of its readers. A registry refuses it.
class Environment {
 public:
  struct Options {
    std::filesystem::path directory;
    std::uint64_t map_bytes = 0;                 ///< 0: what the file says (readers)
    std::string map_setting = "state.map_size";  ///< where the app's YAML says it; for messages
    unsigned databases_max = 1029;
    bool read_only = false;
    bool sync = true;
    bool locking = true;  ///< false: the caller knows that nobody writes
  };

  static Result<std::unique_ptr<Environment>> open(const Options& options);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  MDB_env* get() const { return env_; }
  const Options& options() const { return options_; }

  /// Number of the newest written transaction, of any process. No system call, no lock. While the
  /// disk has not answered yet, readers do not see it.
  std::uint64_t last_transaction() const;

  /// Number of the newest transaction that readers see; costs the begin of one.
  Result<std::uint64_t> readable_transaction();

  /// Begins a read transaction; follows a map that another process made larger.
  Result<MDB_txn*> begin_read();

  /// `code` of an LMDB call as an Error: `doing` is "commit 12 of task visits-0". A full disk can
  /// hide behind EIO (LMDB's answer to a short write); the file system is asked then.
  Error error(int code, std::string_view doing) const;

  /// Frees the slots of reading processes that died.
  int free_dead_readers() const;

  struct Space {
    std::uint64_t map_bytes = 0;
    std::uint64_t file_bytes = 0;  ///< the highest page ever used
    std::uint64_t used_bytes = 0;  ///< without the pages that the next commits can use again
  };
  Space space() const;

 private:
  Environment(MDB_env* env, Options options, std::int32_t pid, std::uint64_t device,
              std::uint64_t inode);
  std::string stale_readers() const;

  MDB_env* env_;
  Options options_;
  std::int32_t pid_;
  std::uint64_t device_;
  std::uint64_t inode_;
};

/// A transaction that is aborted unless it was committed.
class Transaction {
 public:
  explicit Transaction(MDB_txn* txn) : txn_(txn) {}
  ~Transaction() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  MDB_txn* get() const { return txn_; }
  int commit() {
    MDB_txn* txn = txn_;
    txn_ = nullptr;  // mdb_txn_commit() ends it also when it fails
    return mdb_txn_commit(txn);
  }

 private:
  MDB_txn* txn_;
};

/// A cursor of one transaction; must die before it.
class Cursor {
 public:
  Cursor() = default;
  ~Cursor() { close(); }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  int open(MDB_txn* txn, MDB_dbi dbi) {
    close();
    return mdb_cursor_open(txn, dbi, &cursor_);
  }
  void close() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
    cursor_ = nullptr;
  }
  MDB_cursor* get() const { return cursor_; }

 private:
  MDB_cursor* cursor_ = nullptr;
};

inline MDB_val to_val(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};
}
inline std::string_view to_view(const MDB_val& val) {
  return {static_cast<const char*>(val.mv_data), val.mv_size};
}

/// "12.5 MiB"
std::string readable_bytes(std::uint64_t bytes);

}  // namespace weir::host
