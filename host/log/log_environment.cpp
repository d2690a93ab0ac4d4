#include "log/log_environment.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <tuple>
#include <utility>

#include "base/bytes.hpp"
#include "log/batch.hpp"

namespace weir::host {
namespace {

constexpr std::uint32_t log_format = 1;
constexpr std::string_view format_key = "format";
constexpr const char* table_names[LogEnvironment::table_count] = {"meta",    "topics", "partitions",
                                                                  "records", "marks",  "producers"};

/// Which environments this process has open. The process is part of the key: after a fork the
/// child's copy must not find the parent's.
struct Registry {
  using Key = std::tuple<pid_t, dev_t, ino_t>;
  std::mutex mutex;
  std::condition_variable closed;
  std::map<Key, std::weak_ptr<LogEnvironment>> open;

  static Registry& get() {
    static Registry registry;
    return registry;
  }
};

}  // namespace

Result<std::shared_ptr<LogEnvironment>> LogEnvironment::share(const Options& options) {
  std::error_code failed;
  std::filesystem::create_directories(options.directory, failed);
  struct stat info {};
  if (failed || stat(options.directory.c_str(), &info) != 0) {
    return host::error(Errc::io, "cannot make the directory '{}' of the embedded log: {}",
                       options.directory.string(),
                       failed ? failed.message() : std::generic_category().message(errno));
  }
  const Registry::Key key{getpid(), info.st_dev, info.st_ino};

  Registry& registry = Registry::get();
  std::unique_lock lock(registry.mutex);
  for (auto at = registry.open.find(key); at != registry.open.end(); at = registry.open.find(key)) {
    if (auto shared = at->second.lock()) {
      const Environment::Options& has = shared->environment_->options();
      if (has.sync == options.sync && has.map_bytes == options.map_bytes) return shared;
      return host::error(Errc::refused,
                         "the embedded log '{}' is open in this process with other settings (map "
                         "of {} bytes, sync {}); use the same ones",
                         options.directory.string(), has.map_bytes, has.sync);
    }
    registry.closed.wait(lock);  // its last user is just closing it
  }
  std::unique_ptr<LogEnvironment> made(new LogEnvironment());
  WEIR_CHECK(made->open(options));
  const auto close = [key](LogEnvironment* environment) {
    Registry& from = Registry::get();
    const std::lock_guard guard(from.mutex);
    delete environment;
    from.open.erase(key);
    from.closed.notify_all();
  };
  std::shared_ptr<LogEnvironment> shared(made.release(), close);
  registry.open[key] = shared;
  return shared;
}

Result<void> LogEnvironment::open(const Options& options) {
  WEIR_TRY(environment_, Environment::open({.directory = options.directory,
                                            .map_bytes = options.map_bytes,
                                            .map_setting = "log.embedded.map_size",
                                            .databases_max = table_count,
                                            .sync = options.sync}));
  bool missing = false;
  WEIR_CHECK(open_tables(MDB_RDONLY, &missing));
  if (missing) WEIR_CHECK(open_tables(0, nullptr));
  return {};
}

Result<void> LogEnvironment::open_tables(unsigned transaction_flags, bool* maybe_missing) {
  MDB_txn* transaction = nullptr;
  if (const int code = mdb_txn_begin(get(), nullptr, transaction_flags, &transaction); code != 0) {
    return error(code, "open it");
  }
  const unsigned flags = maybe_missing != nullptr ? 0U : unsigned{MDB_CREATE};
  for (std::size_t i = 0; i < table_count; ++i) {
    const int code = mdb_dbi_open(transaction, table_names[i], flags, &tables_[i]);
    if (code == 0) continue;
    mdb_txn_abort(transaction);
    if (code == MDB_NOTFOUND && maybe_missing != nullptr) {
      *maybe_missing = true;
      return {};
    }
    return error(code, "open its tables");
  }
  if (auto format = check_format(transaction); !format) {
    mdb_txn_abort(transaction);
    return format;
  }
  if (const int code = mdb_txn_commit(transaction); code != 0)
    return error(code, "open its tables");
  return {};
}

Result<void> LogEnvironment::check_format(MDB_txn* transaction) {
  MDB_val key = to_val(format_key);
  MDB_val value{};
  int code = mdb_get(transaction, dbi(Table::meta), &key, &value);
  if (code == MDB_NOTFOUND) {
    std::string payload;
    append_le(payload, log_format);
    const std::string sealed = seal(format_key, std::move(payload));
    value = to_val(sealed);
    code = mdb_put(transaction, dbi(Table::meta), &key, &value, 0);
    if (code != 0) return error(code, "write its format");
    return {};
  }
  if (code != 0) return error(code, "read its format");
  WEIR_TRY(const std::string_view payload, unseal(format_key, value, sizeof log_format, "format"));
  const auto format = load_le<std::uint32_t>(payload.data());
  if (format == log_format) return {};
  return host::error(Errc::corrupt,
                     "the embedded log '{}' has format {}, this version reads {}; use the version "
                     "that wrote it or another directory",
                     directory().string(), format, log_format);
}

Error LogEnvironment::error(int code, std::string_view doing) const {
  return environment_->error(code, fmt::format("the embedded log cannot {}", doing));
}

std::string LogEnvironment::seal(std::string_view key, std::string payload) {
  append_le(payload, checksum(key, payload));
  return payload;
}

Result<std::string_view> LogEnvironment::unseal(std::string_view key, MDB_val value,
                                                std::size_t payload_bytes,
                                                std::string_view what) const {
  const std::string_view stored = to_view(value);
  if (stored.size() >= sizeof(std::uint64_t)) {
    const std::string_view payload = stored.substr(0, stored.size() - sizeof(std::uint64_t));
    const bool fits = payload_bytes == 0 || payload.size() == payload_bytes;
    if (fits && checksum(key, payload) == load_le<std::uint64_t>(payload.data() + payload.size())) {
      return payload;
    }
  }
  return host::error(Errc::corrupt,
                     "the embedded log '{}': the checksum of {} does not fit; its file was damaged "
                     "or is not a log, restore it or begin a new directory",
                     directory().string(), what);
}

void LogEnvironment::notify() {
  { const std::lock_guard guard(mutex_); }
  arrived_.notify_all();
}

void LogEnvironment::sleep(std::chrono::microseconds at_most) {
  std::unique_lock lock(mutex_);
  arrived_.wait_for(lock, at_most);
}

LogSnapshot::~LogSnapshot() {
  if (transaction_ != nullptr) mdb_txn_abort(transaction_);
}

Result<void> LogSnapshot::renew() {
  rest();
  if (transaction_ == nullptr) {
    WEIR_TRY(transaction_, environment_->lmdb().begin_read());
  } else if (const int code = mdb_txn_renew(transaction_); code != 0) {
    return environment_->error(code, "read");
  }
  active_ = true;
  return {};
}

void LogSnapshot::rest() {
  if (active_) mdb_txn_reset(transaction_);
  active_ = false;
}

namespace {

Result<std::optional<MDB_val>> get_from(const LogEnvironment& environment, MDB_txn* transaction,
                                        LogEnvironment::Table table, std::string_view key) {
  MDB_val name = to_val(key);
  MDB_val value{};
  const int code = mdb_get(transaction, environment.dbi(table), &name, &value);
  if (code == MDB_NOTFOUND) return std::optional<MDB_val>{};
  if (code != 0) return environment.error(code, "read");
  return std::optional<MDB_val>{value};
}

}  // namespace

Result<std::optional<MDB_val>> LogSnapshot::get(LogEnvironment::Table table,
                                                std::string_view key) const {
  return get_from(*environment_, transaction_, table, key);
}

Result<LogTransaction> LogTransaction::begin(LogEnvironment& environment) {
  MDB_txn* transaction = nullptr;
  if (const int code = mdb_txn_begin(environment.get(), nullptr, 0, &transaction); code != 0) {
    return environment.error(code, "write");
  }
  return LogTransaction(environment, transaction);
}

Result<std::optional<MDB_val>> LogTransaction::get(LogEnvironment::Table table,
                                                   std::string_view key) const {
  return get_from(*environment_, transaction_->get(), table, key);
}

Result<void> LogTransaction::put(LogEnvironment::Table table, std::string_view key,
                                 std::string payload) {
  const std::string sealed = LogEnvironment::seal(key, std::move(payload));
  MDB_val name = to_val(key);
  MDB_val value = to_val(sealed);
  const int code = mdb_put(transaction_->get(), environment_->dbi(table), &name, &value, 0);
  if (code != 0) return environment_->error(code, "write");
  return {};
}

Result<char*> LogTransaction::reserve(LogEnvironment::Table table, std::string_view key,
                                      std::size_t bytes) {
  MDB_val name = to_val(key);
  MDB_val value{bytes, nullptr};
  const int code = mdb_put(transaction_->get(), environment_->dbi(table), &name, &value,
                           MDB_RESERVE | MDB_NOOVERWRITE);
  if (code == MDB_KEYEXIST) return environment_->error(MDB_CORRUPTED, "append after its end");
  if (code != 0) return environment_->error(code, "write");
  return static_cast<char*>(value.mv_data);
}

Result<void> LogTransaction::commit() {
  const int code = transaction_->commit();
  if (code == 0) return {};
  // Everything up to the last step can fail without a trace. If the last step itself failed, LMDB
  // does not trust the file any more and neither do we.
  MDB_txn* probe = nullptr;
  const int state = mdb_txn_begin(environment_->get(), nullptr, MDB_RDONLY, &probe);
  if (state == 0) {
    mdb_txn_abort(probe);
    return environment_->error(code, "write");
  }
  return host::error(
      Errc::unavailable,
      "the embedded log '{}': the write that decides failed ({}), so it is not known "
      "whether it happened; start the process again, it will find out",
      environment_->directory().string(), mdb_strerror(code));
}

}  // namespace weir::host
