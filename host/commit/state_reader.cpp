#include "commit/state_reader.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "commit/app_file.hpp"
#include "commit/names.hpp"
#include "commit/parked_rows.hpp"
#include "commit/row.hpp"
#include "commit/rows.hpp"
#include "commit/state_directory.hpp"
#include "commit/state_type.hpp"
#include "commit/timer_rows.hpp"
#include "lmdb/environment.hpp"

namespace weir::host {
namespace {

constexpr std::size_t page_entries_max = 256;
constexpr std::size_t page_bytes_max = std::size_t{4} << 20;  // soft: one big State comes alone

using Entry = StateReader::Entry;

/// Keeps a host from starting while a page is read without a reader slot.
class NoHost {
 public:
  static Result<NoHost> hold(const std::filesystem::path& state_directory) {
    NoHost out;
    const std::filesystem::path path = state_directory / "weir.lock";
    out.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (out.fd_ < 0 && errno == ENOENT) return out;  // no host ever ran on this copy
    if (out.fd_ < 0 || ::flock(out.fd_, LOCK_SH | LOCK_NB) != 0) {
      return error(Errc::refused,
                   "a host may be running on {}, and the lock.mdb of its tasks cannot be written: "
                   "reading would not be safe; run this as the host's user, or stop the host",
                   state_directory.string());
    }
    return out;
  }
  NoHost() = default;
  NoHost(NoHost&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  NoHost& operator=(NoHost&&) = delete;
  ~NoHost() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  int fd_ = -1;
};

bool can_write_lock(const std::filesystem::path& task_directory) {
  const std::filesystem::path file = task_directory / "lock.mdb";
  if (::access(file.c_str(), F_OK) == 0) return ::access(file.c_str(), R_OK | W_OK) == 0;
  return ::access(task_directory.c_str(), W_OK) == 0;
}

/// One task's environment as a reader sees it.
class TaskReader {
 public:
  /// Null: the task is being made at this moment and holds nothing yet.
  static Result<std::unique_ptr<TaskReader>> open(const std::filesystem::path& state_directory,
                                                  const std::string& task) {
    const std::filesystem::path directory = StateDirectory::tasks_in(state_directory) / task;
    std::error_code ignored;
    const auto size = std::filesystem::file_size(directory / "data.mdb", ignored);
    if (ignored || size == 0) return std::unique_ptr<TaskReader>();
    std::unique_ptr<TaskReader> out(new TaskReader(state_directory, task));
    out->locking_ = can_write_lock(directory);
    WEIR_TRY(const NoHost guard, out->guard());
    WEIR_TRY(out->environment_, Environment::open({.directory = directory,
                                                   .map_bytes = 0,
                                                   .read_only = true,
                                                   .sync = true,
                                                   .locking = out->locking_}));
    out->rows_.emplace(*out->environment_, task);
    WEIR_TRY(MDB_txn * raw, out->environment_->begin_read());
    Transaction txn(raw);
    MDB_dbi meta = 0;
    for (const auto& [name, dbi] : {std::pair{names::meta, &meta},
                                    {names::resolvers, &out->resolvers_},
                                    {names::schemas, &out->schemas_}}) {
      const int code = mdb_dbi_open(raw, name, 0, dbi);
      if (code == MDB_NOTFOUND) return std::unique_ptr<TaskReader>();
      if (code != 0) return out->rows_->failed(code);
    }
    WEIR_CHECK(out->check_identity(raw, meta));
    WEIR_TRY(out->timers_, out->open_rows<TimerRows>(raw));
    WEIR_TRY(out->parked_, out->open_rows<ParkedRows>(raw));
    // A handle that a read transaction opened lives on only if the transaction is committed.
    if (const int code = txn.commit(); code != 0) return out->rows_->failed(code);
    return out;
  }

  const std::string& task() const { return task_; }

  Result<std::vector<StateReader::ResolverInfo>> resolvers() {
    WEIR_TRY(const NoHost held, guard());
    std::vector<StateReader::ResolverInfo> out;
    WEIR_CHECK(read_entries(&out));
    for (const StateReader::ResolverInfo& info : out) WEIR_CHECK(open_states(info.entry.id()));
    WEIR_TRY(MDB_txn * raw, environment_->begin_read());
    const Transaction txn(raw);
    for (StateReader::ResolverInfo& info : out) {
      const auto dbi = states_.find(info.entry.id());
      MDB_stat stat{};
      if (dbi != states_.end() && mdb_stat(raw, dbi->second, &stat) == 0) {
        info.state_count = stat.ms_entries;
      }
    }
    return out;
  }

  /// The States of one resolver from `from` on whose keys start with `prefix`, a page of them;
  /// `exact` takes only the key `from`. Returns where the next page starts; empty: nowhere.
  Result<std::string> page(const StateReader::ResolverInfo& resolver, std::string_view prefix,
                           const std::string& from, bool exact, std::vector<Entry>* out) {
    WEIR_TRY(const NoHost held, guard());
    WEIR_CHECK(open_states(resolver.entry.id()));
    WEIR_TRY(MDB_txn * raw, environment_->begin_read());
    const Transaction txn(raw);
    std::string next;
    if (const auto dbi = states_.find(resolver.entry.id()); dbi != states_.end()) {
      Cursor cursor;
      if (const int code = cursor.open(raw, dbi->second); code != 0) return rows_->failed(code);
      MDB_val key = to_val(from);
      MDB_val value{};
      const MDB_cursor_op start = exact ? MDB_SET_KEY : from.empty() ? MDB_FIRST : MDB_SET_RANGE;
      int code = mdb_cursor_get(cursor.get(), &key, &value, start);
      std::size_t bytes = 0;
      for (; code == 0; code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) {
        if (!to_view(key).starts_with(prefix)) break;
        if (out->size() == page_entries_max || (bytes > page_bytes_max && !out->empty())) {
          next = to_view(key);
          break;
        }
        WEIR_TRY(Entry entry, read(raw, resolver.name, to_view(key), to_view(value)));
        if (timers_) {
          WEIR_TRY(const auto timer, timers_->get(raw, resolver.entry.id(), entry.key));
          if (timer) entry.timer_ms = timer->at_ms;
        }
        bytes += entry.bytes.size();
        out->push_back(std::move(entry));
        if (exact) break;
      }
      if (code != 0 && code != MDB_NOTFOUND) return rows_->failed(code);
    }
    return next;
  }

  Result<Catalog> catalog() {
    WEIR_TRY(const NoHost held, guard());
    WEIR_TRY(MDB_txn * raw, environment_->begin_read());
    const Transaction txn(raw);
    return rows_->catalog(raw, resolvers_, schemas_);
  }

  Result<std::vector<StoredParkedKey>> parked() {
    WEIR_TRY(const NoHost held, guard());
    std::vector<StoredParkedKey> out;
    std::vector<StoredParkedKey> page;
    do {
      const std::uint64_t after = page.empty() ? 0 : page.back().number;
      page.clear();
      WEIR_TRY(MDB_txn * raw, environment_->begin_read());
      const Transaction txn(raw);
      if (parked_) {
        WEIR_TRY(page, parked_->keys(raw, after, page_entries_max));
      }
      out.insert(out.end(), page.begin(), page.end());
    } while (page.size() == page_entries_max);
    return out;
  }

  Result<std::optional<std::vector<v1::ParkedRecord>>> parked_records(const StoredParkedKey& key,
                                                                      std::uint64_t sequence,
                                                                      ParkedLimit limit) {
    using Records = std::optional<std::vector<v1::ParkedRecord>>;
    WEIR_TRY(const NoHost held, guard());
    WEIR_TRY(MDB_txn * raw, environment_->begin_read());
    const Transaction txn(raw);
    if (!parked_) return Records();
    WEIR_TRY(const auto now, parked_->keys(raw, key.number - 1, 1));
    const bool is_same = !now.empty() && now.front().number == key.number &&
                         now.front().key.since_ms() == key.key.since_ms() &&
                         now.front().key.first() == key.key.first();
    if (!is_same) return Records();
    WEIR_TRY(auto records, parked_->records(raw, key, sequence, limit));
    return Records(std::move(records));
  }

  Result<const StateType*> type(std::uint32_t id) {
    if (const auto found = types_.find(id); found != types_.end()) return found->second.get();
    WEIR_TRY(const NoHost held, guard());
    WEIR_TRY(MDB_txn * raw, environment_->begin_read());
    const Transaction txn(raw);
    WEIR_TRY(const v1::Schema* stored, schema(raw, id));
    WEIR_TRY(types_[id], StateType::load(*stored));
    return types_[id].get();
  }

 private:
  TaskReader(std::filesystem::path state_directory, std::string task)
      : state_directory_(std::move(state_directory)), task_(std::move(task)) {}

  /// Absent: the task was made by a host that knew none.
  template <typename T>
  Result<std::optional<T>> open_rows(MDB_txn* txn) {
    T rows(*rows_);
    const int code = rows.open(txn, 0);
    if (code == MDB_NOTFOUND) return std::optional<T>();
    if (code != 0) return rows_->failed(code);
    return std::optional<T>(rows);
  }

  Result<NoHost> guard() const {
    if (locking_) return NoHost();
    return NoHost::hold(state_directory_);
  }

  Result<void> check_identity(MDB_txn* txn, MDB_dbi meta) const {
    v1::Environment identity;
    WEIR_TRY(const bool found,
             rows_->get(txn, meta, names::environment, &identity, "the row environment"));
    if (!found) return rows_->corrupt("the row environment", "is missing");
    if (identity.format() > environment_format) {
      return rows_->corrupt("the environment",
                            fmt::format("has format {}, this version of weir knows up to {}",
                                        identity.format(), environment_format));
    }
    return {};
  }

  Result<void> read_entries(std::vector<StateReader::ResolverInfo>* out) {
    WEIR_TRY(MDB_txn * raw, environment_->begin_read());
    const Transaction txn(raw);
    return rows_->each(
        raw, resolvers_, [&](std::string_view key, std::string_view stored) -> Result<void> {
          StateReader::ResolverInfo info;
          info.task = task_;
          info.name = key;
          WEIR_CHECK(rows_->parse(key, stored, &info.entry, "resolver " + info.name));
          out->push_back(std::move(info));
          return {};
        });
  }

  // In a transaction of its own, because a handle dies with the transaction that opened it unless
  // that is committed. No handle afterwards: the resolver is stateless or not registered yet.
  Result<void> open_states(std::uint32_t id) {
    if (id == 0 || states_.contains(id)) return {};
    WEIR_TRY(MDB_txn * raw, environment_->begin_read());
    Transaction txn(raw);
    MDB_dbi dbi = 0;
    int code = mdb_dbi_open(raw, names::state(id).c_str(), 0, &dbi);
    if (code == MDB_NOTFOUND) return {};
    if (code == 0) code = txn.commit();
    if (code != 0) return rows_->failed(code);
    states_[id] = dbi;
    return {};
  }

  // Schemas never change once stored.
  Result<const v1::Schema*> schema(MDB_txn* txn, std::uint32_t id) {
    if (const auto found = known_.find(id); found != known_.end()) return &found->second;
    v1::Schema stored;
    const std::string name = fmt::format("schema {}", id);
    WEIR_TRY(const bool found, rows_->get(txn, schemas_, names::schema_key(id), &stored, name));
    if (!found) return rows_->corrupt(name, "is missing");
    return &(known_[id] = std::move(stored));
  }

  Result<Entry> read(MDB_txn* txn, const std::string& resolver, std::string_view key,
                     std::string_view stored) {
    Row row;
    const RowFault fault = read_row(key, stored, row);
    if (fault != RowFault::none) {
      return rows_->corrupt(
          fmt::format("the State of resolver {} for key \"{}\"", resolver, printable(key)),
          describe(fault, stored));
    }
    WEIR_TRY(const v1::Schema* written_with, schema(txn, row.schema));
    Entry entry;
    entry.task = task_;
    entry.resolver = resolver;
    entry.key = key;
    entry.bytes = row.payload;
    entry.type = written_with->type();
    entry.state_version = written_with->state_version();
    entry.schema = row.schema;
    return entry;
  }

  std::filesystem::path state_directory_;
  std::string task_;
  bool locking_ = true;
  std::unique_ptr<Environment> environment_;
  std::optional<Rows> rows_;          // of the environment
  std::optional<TimerRows> timers_;   // of the environment
  std::optional<ParkedRows> parked_;  // of the environment
  MDB_dbi resolvers_ = 0;
  MDB_dbi schemas_ = 0;
  std::map<std::uint32_t, MDB_dbi> states_;
  std::map<std::uint32_t, v1::Schema> known_;
  std::map<std::uint32_t, std::unique_ptr<StateType>> types_;
};

}  // namespace

struct StateReader::Impl {
  std::filesystem::path path;
  std::string app;
  std::map<std::string, std::unique_ptr<TaskReader>> tasks;

  Error nothing_yet() const {
    return error(Errc::not_found, "there is no State in {} yet; has app {} run?", path.string(),
                 app);
  }

  /// A running host makes tasks at any time.
  Result<void> find_tasks() {
    std::error_code code;
    const std::filesystem::path directory = StateDirectory::tasks_in(path);
    for (std::filesystem::directory_iterator at(directory, code), end; !code && at != end;
         at.increment(code)) {
      const std::string task = at->path().filename().string();
      if (tasks.contains(task)) continue;
      WEIR_TRY(auto reader, TaskReader::open(path, task));
      if (reader != nullptr) tasks.emplace(task, std::move(reader));
    }
    if (code && code != std::errc::no_such_file_or_directory) {
      return error(Errc::io, "cannot list {}: {}", directory.string(), code.message());
    }
    return {};
  }

  Result<std::vector<ResolverInfo>> resolvers() {
    WEIR_CHECK(find_tasks());
    std::vector<ResolverInfo> out;
    for (const auto& [name, task] : tasks) {
      WEIR_TRY(auto some, task->resolvers());
      std::move(some.begin(), some.end(), std::back_inserter(out));
    }
    return out;
  }

  /// The stateful ones that `name` means; empty: all.
  Result<std::vector<ResolverInfo>> selected(std::string_view name) {
    WEIR_TRY(std::vector<ResolverInfo> all, resolvers());
    std::vector<ResolverInfo> out;
    std::string others;
    bool known = name.empty();
    for (ResolverInfo& info : all) {
      if (name.empty() || info.name == name) {
        known = true;
        if (info.entry.id() != 0) out.push_back(std::move(info));
      } else if (info.entry.id() != 0 &&
                 (", " + others + ",").find(", " + info.name + ",") == std::string::npos) {
        others += (others.empty() ? "" : ", ") + info.name;
      }
    }
    if (!known) {
      return error(Errc::not_found, "no task in {} knows a resolver {}; with State there are: {}",
                   path.string(), name, others.empty() ? "none" : others);
    }
    return out;
  }
};

StateReader::StateReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StateReader::~StateReader() = default;

Result<std::unique_ptr<StateReader>> StateReader::open(
    const std::filesystem::path& state_directory) {
  auto impl = std::make_unique<Impl>();
  impl->path = state_directory;
  WEIR_TRY(const std::optional<std::string> app, read_app_file(state_directory));
  if (!app) {
    return error(Errc::not_found,
                 "{} is not a state directory (no file `app` in it); has the app "
                 "run yet?",
                 state_directory.string());
  }
  impl->app = *app;
  WEIR_CHECK(impl->find_tasks());
  if (impl->tasks.empty()) return impl->nothing_yet();
  return std::unique_ptr<StateReader>(new StateReader(std::move(impl)));
}

const std::string& StateReader::app() const { return impl_->app; }

Result<std::vector<StateReader::ResolverInfo>> StateReader::resolvers() {
  return impl_->resolvers();
}

Result<std::map<std::string, Catalog>> StateReader::catalogs() {
  WEIR_CHECK(impl_->find_tasks());
  std::map<std::string, Catalog> out;
  for (const auto& [name, task] : impl_->tasks) {
    WEIR_TRY(out[name], task->catalog());
  }
  return out;
}

Result<std::vector<StateReader::Parked>> StateReader::parked() {
  WEIR_CHECK(impl_->find_tasks());
  std::vector<Parked> out;
  for (const auto& [name, task] : impl_->tasks) {
    WEIR_TRY(auto keys, task->parked());
    for (StoredParkedKey& one : keys) out.push_back({name, one.number, std::move(one.key)});
  }
  return out;
}

Result<std::optional<std::vector<v1::ParkedRecord>>> StateReader::parked_records(
    const Parked& key, std::uint64_t sequence, ParkedLimit limit) {
  return impl_->tasks.at(key.task)->parked_records({key.number, key.key}, sequence, limit);
}

Result<std::vector<Entry>> StateReader::get(std::string_view resolver, std::string_view key) {
  if (key.empty() || key.size() > key_bytes_max) {
    return error(Errc::invalid, "a key of {} bytes, expected 1 to {}", key.size(), key_bytes_max);
  }
  WEIR_TRY(const std::vector<ResolverInfo> selected, impl_->selected(resolver));
  std::vector<Entry> out;
  for (const ResolverInfo& info : selected) {
    std::vector<Entry> found;
    WEIR_CHECK(impl_->tasks.at(info.task)->page(info, key, std::string(key), true, &found));
    std::move(found.begin(), found.end(), std::back_inserter(out));
  }
  return out;
}

Result<void> StateReader::list(std::string_view resolver, std::string_view prefix,
                               const std::function<bool(const Entry&)>& visit) {
  WEIR_TRY(const std::vector<ResolverInfo> selected, impl_->selected(resolver));
  if (prefix.size() > key_bytes_max) return {};
  std::vector<Entry> entries;
  for (const ResolverInfo& info : selected) {
    std::string from(prefix);
    do {
      entries.clear();
      WEIR_TRY(from, impl_->tasks.at(info.task)->page(info, prefix, from, false, &entries));
      for (const Entry& entry : entries) {
        if (!visit(entry)) return {};
      }
    } while (!from.empty());
  }
  return {};
}

Result<std::string> StateReader::to_json(const Entry& entry) {
  const auto task = impl_->tasks.find(entry.task);
  if (task == impl_->tasks.end()) {
    return error(Errc::not_found, "there is no task {} in {}", entry.task, impl_->path.string());
  }
  WEIR_TRY(const StateType* type, task->second->type(entry.schema));
  auto json = type->to_json(entry.bytes);
  if (json) return json;
  return error(json.error().code, "task {}, resolver {}, key \"{}\": {}", entry.task,
               entry.resolver, printable(entry.key), json.error().message);
}

}  // namespace weir::host
