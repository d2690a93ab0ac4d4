#pragma once

#include <lmdb.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "lmdb/environment.hpp"

namespace weir::host {

/// The environment of an embedded log, with its tables; for embedded_*.cpp only.
class LogEnvironment {
 public:
  struct Options {
    std::filesystem::path directory;
    std::uint64_t map_bytes = 0;
    bool sync = true;
  };
  enum class Table { meta, topics, partitions, records, marks, producers };
  static constexpr std::size_t table_count = 6;

  /// The environment of a directory, shared by all who have it open in this process. That is a
  /// registry of the process, the one global of this folder: LMDB's file locks belong to the
  /// process, so nothing smaller can guard them.
  static Result<std::shared_ptr<LogEnvironment>> share(const Options& options);

  Environment& lmdb() const { return *environment_; }
  MDB_env* get() const { return environment_->get(); }
  const std::filesystem::path& directory() const { return environment_->options().directory; }
  MDB_dbi dbi(Table table) const { return tables_[static_cast<std::size_t>(table)]; }

  /// What LMDB's `code` means for this log; `doing` completes "cannot ...".
  Error error(int code, std::string_view doing) const;

  /// A stored entry: its bytes and a checksum over them and their key.
  static std::string seal(std::string_view key, std::string payload);
  /// The payload of a sealed entry of exactly `payload_bytes` (or any size, if 0).
  Result<std::string_view> unseal(std::string_view key, MDB_val value, std::size_t payload_bytes,
                                  std::string_view what) const;

  /// Tells the threads of this process that records have arrived.
  void notify();
  /// Sleeps until notify(), at most this long.
  void sleep(std::chrono::microseconds at_most);

 private:
  LogEnvironment() = default;
  Result<void> open(const Options& options);
  Result<void> open_tables(unsigned transaction_flags, bool* maybe_missing);
  Result<void> check_format(MDB_txn* transaction);

  std::unique_ptr<Environment> environment_;
  MDB_dbi tables_[table_count] = {};
  std::mutex mutex_;
  std::condition_variable arrived_;
};

/// A read transaction that can rest. While it rests it holds no page, so that the file can reuse
/// what others free.
class LogSnapshot {
 public:
  explicit LogSnapshot(std::shared_ptr<LogEnvironment> environment)
      : environment_(std::move(environment)) {}
  ~LogSnapshot();
  LogSnapshot(const LogSnapshot&) = delete;
  LogSnapshot& operator=(const LogSnapshot&) = delete;

  /// The newest committed state, until rest() or the next renew().
  Result<void> renew();
  void rest();

  MDB_txn* transaction() const { return transaction_; }
  std::uint64_t number() const { return mdb_txn_id(transaction_); }

  /// Absent: no such key.
  Result<std::optional<MDB_val>> get(LogEnvironment::Table table, std::string_view key) const;

 private:
  std::shared_ptr<LogEnvironment> environment_;
  MDB_txn* transaction_ = nullptr;
  bool active_ = false;
};

/// The one write transaction of all processes; begin() waits for it. Gone without commit(): nothing
/// happened.
class LogTransaction {
 public:
  static Result<LogTransaction> begin(LogEnvironment& environment);

  Result<std::optional<MDB_val>> get(LogEnvironment::Table table, std::string_view key) const;
  /// Seals and writes an entry.
  Result<void> put(LogEnvironment::Table table, std::string_view key, std::string payload);
  /// Room for a new value of this size. Errc::corrupt: the key exists already.
  Result<char*> reserve(LogEnvironment::Table table, std::string_view key, std::size_t bytes);
  Result<void> commit();

 private:
  LogTransaction(LogEnvironment& environment, MDB_txn* transaction)
      : environment_(&environment), transaction_(std::make_unique<Transaction>(transaction)) {}

  LogEnvironment* environment_;
  std::unique_ptr<Transaction> transaction_;
};

}  // namespace weir::host
