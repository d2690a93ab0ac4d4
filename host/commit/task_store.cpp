#include "commit/task_store.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/ranges.h>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/counted.hpp"
#include "base/limits.hpp"
#include "commit/catalog.hpp"
#include "commit/files.hpp"
#include "commit/names.hpp"
#include "commit/parked_rows.hpp"
#include "commit/row.hpp"
#include "commit/rows.hpp"
#include "commit/state_type.hpp"
#include "commit/timer_rows.hpp"
#include "commit/undo_log.hpp"
#include "lmdb/environment.hpp"

namespace weir::host {
namespace {

// Readers that died keep old pages alive until somebody looks.
constexpr std::uint64_t commits_between_reader_checks = 64;

Result<std::uint64_t> draw_lineage() {
  std::uint64_t lineage = 0;
  while (lineage == 0) {
    if (::getrandom(&lineage, sizeof lineage, 0) != sizeof lineage) {
      return error(Errc::io, "cannot draw a random number: {}", std::strerror(errno));
    }
  }
  return lineage;
}

}  // namespace

struct TaskStore::Impl {
  // A resolver's State, if it is registered.
  struct OpenState {
    bool open = false;
    MDB_dbi dbi = 0;
    std::uint16_t schema = 0;
    std::string name;
  };
  struct KnownSchema {
    bool known = false;
    std::uint32_t state_version = 0;
  };

  Options options;
  std::unique_ptr<Environment> environment;
  UndoLog undo;
  std::optional<Rows> rows;          // of the environment
  std::optional<TimerRows> timers;   // of the environment
  std::optional<ParkedRows> parked;  // of the environment
  MDB_dbi meta = 0;
  MDB_dbi resolvers = 0;
  MDB_dbi schemas = 0;
  MDB_dbi outbox = 0;
  // Always at the newest commit, so it keeps no page from being used again while it waits.
  MDB_txn* reading = nullptr;
  int reading_fault = 0;
  v1::Environment identity;
  std::optional<v1::Head> head;
  std::optional<v1::Head> undo_head;      // set: the undo log is active
  std::vector<OpenState> states;          // by ResolverId
  std::vector<KnownSchema> known;         // by schema
  Catalog next_catalog;                   // as the next commit leaves it
  std::optional<Catalog> stored_catalog;  // what is stored, where stage() has changed it since
  Catalog undo_catalog;                   // before the builds for which the undo log was begun
  std::vector<ResolverSchema> known_resolvers;  // as registered; their descriptors may be gone
  std::vector<std::string> notes;
  std::size_t outbox_rows = 0;
  std::uint64_t commit_count = 0;

  ~Impl() {
    if (reading != nullptr) mdb_txn_abort(reading);
  }

  std::string where() const { return "task " + options.task; }

  static const v1::Schema* schema_of(const Catalog& catalog, const std::string& resolver) {
    const auto schema = catalog.schemas.find(catalog.resolvers.at(resolver).schema());
    return schema == catalog.schemas.end() ? nullptr : &schema->second;  // stateless
  }

  /// Whether the builds that run can read what those of `next` will write.
  bool running_builds_read(const Registration& next) const {
    return std::ranges::all_of(known_resolvers, [&](const ResolverSchema& resolver) {
      const v1::Schema* const running = schema_of(next_catalog, resolver.name);
      const v1::Schema* const written = schema_of(next.catalog, resolver.name);
      return running == nullptr || oldest_reader(*written) <= running->state_version();
    });
  }

  void step(std::string_view name) const {
    if (options.at_step) options.at_step(name);
  }

  Result<void> open();
  Result<void> open_databases(MDB_txn* txn);
  Result<void> read_identity(MDB_txn* txn);
  Result<void> read_head();
  void know(const Catalog& catalog);

  void renew();
  Result<void> check(const CommitRequest& request) const;
  Result<void> check(std::span<const StateChange> changes) const;
  /// `write`, in a transaction that leaves the task's commit as it is. Its result is LMDB's.
  template <typename Write>
  Result<void> change(std::string_view what, const Write& write);
  int put_states(MDB_txn* txn, std::span<const StateChange> changes);
  Result<void> check_timers(MDB_txn* txn, std::span<const ResolverSchema> registered,
                            std::span<const ResolverId> ids);
  int raise_format(MDB_txn* txn, std::uint32_t format) const;
  int put_parked(MDB_txn* txn, std::span<const ParkedChange> changes) const;
  Result<MDB_txn*> reader() const;
  int put_outbox(MDB_txn* txn, std::span<const std::string_view> pieces);
  Result<void> check_head(MDB_txn* txn) const;
  /// Those of all resolvers with State, also of resolvers that are not registered.
  Result<std::vector<std::pair<ResolverId, MDB_dbi>>> state_databases(MDB_txn* txn) const;
  Result<int> drop(MDB_txn* txn) const;
  int write_rows(MDB_txn* txn, const CommitRequest& request);
  Result<int> write_all(const CommitRequest& request);
  int write_undo(MDB_txn* txn, const CommitRequest& request) const;
  int put_catalog(MDB_txn* txn, const Catalog& before, const Catalog& after) const;
};

Result<void> TaskStore::Impl::open() {
  WEIR_CHECK(make_durable_directory(options.directory));
  WEIR_TRY(environment, Environment::open({.directory = options.directory,
                                           .map_bytes = options.map_bytes,
                                           .read_only = false,
                                           .sync = options.sync,
                                           .locking = true}));
  if (options.sync) WEIR_CHECK(sync_directory(options.directory));
  rows.emplace(*environment, options.task);
  timers.emplace(*rows, &undo);
  parked.emplace(*rows, &undo);

  MDB_txn* raw = nullptr;
  if (const int code = mdb_txn_begin(environment->get(), nullptr, 0, &raw); code != 0) {
    return environment->error(code, "opening " + where());
  }
  Transaction txn(raw);
  WEIR_CHECK(open_databases(raw));
  WEIR_CHECK(read_identity(raw));
  if (const int code = txn.commit(); code != 0) {
    return environment->error(code, "opening " + where());
  }
  WEIR_TRY(reading, environment->begin_read());
  WEIR_CHECK(read_head());
  WEIR_TRY(const Catalog catalog, rows->catalog(reading, resolvers, schemas));
  know(catalog);
  return {};
}

Result<void> TaskStore::Impl::open_databases(MDB_txn* txn) {
  // An environment with databases, but without ours, is somebody else's.
  MDB_stat main{};
  MDB_dbi main_dbi = 0;
  if (mdb_dbi_open(txn, nullptr, 0, &main_dbi) == 0) mdb_stat(txn, main_dbi, &main);
  const int existing = mdb_dbi_open(txn, names::meta, 0, &meta);
  if (main.ms_entries != 0 && existing != 0) {
    return error(Errc::corrupt, "{} holds an LMDB environment that is not a task of Weir",
                 options.directory.string());
  }
  for (const auto& [name, dbi] : {std::pair{names::meta, &meta},
                                  {names::resolvers, &resolvers},
                                  {names::schemas, &schemas},
                                  {names::outbox, &outbox}}) {
    if (const int code = mdb_dbi_open(txn, name, MDB_CREATE, dbi); code != 0) {
      return environment->error(code, "opening " + where());
    }
  }
  int code = timers->open(txn, MDB_CREATE);
  if (code == 0) code = parked->open(txn, MDB_CREATE);
  if (code != 0) return environment->error(code, "opening " + where());
  undo.watch(resolvers, names::resolvers);
  MDB_stat stat{};
  mdb_stat(txn, outbox, &stat);
  outbox_rows = stat.ms_entries;
  return {};
}

Result<void> TaskStore::Impl::read_identity(MDB_txn* txn) {
  WEIR_TRY(const bool found,
           rows->get(txn, meta, names::environment, &identity, "the row environment"));
  if (!found) {
    MDB_stat stat{};
    mdb_stat(txn, meta, &stat);
    if (stat.ms_entries != 0) return rows->corrupt("the row environment", "is missing");
    identity.set_format(environment_format_at_first);
    identity.set_app(options.app);
    identity.set_task(options.task);
    WEIR_TRY(const std::uint64_t lineage, draw_lineage());
    identity.set_lineage(lineage);
    if (const int code = Rows::put(txn, meta, names::environment, identity); code != 0) {
      return environment->error(code, "opening " + where());
    }
    return {};
  }
  if (identity.format() > environment_format) {
    return error(Errc::corrupt,
                 "{} has format {}, this version of weir knows up to {}; use a newer weir",
                 options.directory.string(), identity.format(), environment_format);
  }
  if (identity.app() != options.app || identity.task() != options.task) {
    return error(Errc::refused,
                 "{} belongs to task {} of app {}, not to task {} of app {}; give the app a state "
                 "directory of its own",
                 options.directory.string(), identity.task(), identity.app(), options.task,
                 options.app);
  }
  return {};
}

Result<void> TaskStore::Impl::read_head() {
  v1::Head stored;
  WEIR_TRY(const bool found, rows->get(reading, meta, names::head, &stored, "the row head"));
  if (!found) return {};
  if (stored.commit().lineage() != identity.lineage()) {
    return rows->corrupt("the row head", "is of another lineage than the environment");
  }
  head = std::move(stored);
  v1::Head begun;
  WEIR_TRY(const bool active, rows->get(reading, meta, names::undo, &begun, "the row undo"));
  if (active) undo_head = std::move(begun);
  return {};
}

void TaskStore::Impl::know(const Catalog& catalog) {
  known.clear();
  if (catalog.schemas.empty()) return;
  known.resize(catalog.schemas.rbegin()->first + 1);
  for (const auto& [id, schema] : catalog.schemas) known[id] = {true, schema.state_version()};
}

// Cannot fail in practice: the slot is ours and the map never changes. If it does, what was
// committed stays committed, and the next read says so.
void TaskStore::Impl::renew() {
  mdb_txn_reset(reading);
  reading_fault = mdb_txn_renew(reading);
}

TaskStore::TaskStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TaskStore::~TaskStore() = default;

Result<std::unique_ptr<TaskStore>> TaskStore::open(const Options& options) {
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  WEIR_CHECK(impl->open());
  return std::unique_ptr<TaskStore>(new TaskStore(std::move(impl)));
}

const std::optional<v1::Head>& TaskStore::head() const { return impl_->head; }
const std::optional<v1::Head>& TaskStore::undo_head() const { return impl_->undo_head; }
std::uint64_t TaskStore::lineage() const { return impl_->identity.lineage(); }
const std::vector<std::string>& TaskStore::notes() const { return impl_->notes; }

Result<std::vector<ResolverId>> TaskStore::register_resolvers(
    std::span<const ResolverSchema> resolvers, std::span<const v1::Input> started_at) {
  Impl& impl = *impl_;
  const std::string doing = impl.where() + ": registering resolvers";
  MDB_txn* raw = nullptr;
  if (const int code = mdb_txn_begin(impl.environment->get(), nullptr, 0, &raw); code != 0) {
    return impl.environment->error(code, doing);
  }
  Transaction txn(raw);
  WEIR_TRY(const Catalog before, impl.rows->catalog(raw, impl.resolvers, impl.schemas));
  auto joined = register_in(before, resolvers, started_at);
  if (!joined) {
    Error refusal = std::move(joined).error();
    refusal.message = fmt::format("{}: {}", impl.where(), refusal.message);
    return refusal;
  }
  Registration& registration = *joined;
  int code = impl.undo.begin(raw, impl.undo_head.has_value());
  if (code == 0) code = impl.put_catalog(raw, before, registration.catalog);
  if (code != 0) {
    return impl.environment->error(code, doing);
  }

  std::vector<Impl::OpenState> states;
  for (std::size_t i = 0; i < resolvers.size(); ++i) {
    const ResolverId id = registration.ids[i];
    if (id == 0) continue;
    const v1::ResolverEntry& entry = registration.catalog.resolvers.at(resolvers[i].name);
    if (states.size() <= id) states.resize(id + 1);
    Impl::OpenState& state = states[id];
    state = {.open = true,
             .dbi = 0,
             .schema = static_cast<std::uint16_t>(entry.schema()),
             .name = resolvers[i].name};
    code = mdb_dbi_open(raw, names::state(id).c_str(), MDB_CREATE, &state.dbi);
    if (code != 0) return impl.environment->error(code, doing);
    impl.undo.watch(state.dbi, names::state(id));
  }
  WEIR_CHECK(impl.check_timers(raw, resolvers, registration.ids));
  for (const ResolverSchema& resolver : resolvers) {
    const std::string& from = resolver.renamed_from;
    if (from == resolver.name || !before.resolvers.contains(from)) continue;
    WEIR_TRY(code, impl.parked->rename(raw, from, resolver.name));
    if (code != 0) return impl.environment->error(code, doing);
  }
  // Writes nothing when nothing changed.
  if (code = txn.commit(); code != 0) return impl.environment->error(code, doing);
  impl.states = std::move(states);
  impl.know(registration.catalog);
  impl.next_catalog = registration.catalog;
  impl.stored_catalog.reset();
  impl.known_resolvers.assign(resolvers.begin(), resolvers.end());
  impl.notes = std::move(registration.notes);
  impl.renew();
  return std::move(registration.ids);
}

Result<Registration> TaskStore::check_builds(std::span<const ResolverSchema> resolvers,
                                             Ways ways) const {
  const Impl& impl = *impl_;
  std::vector<std::string> refusals;
  const auto refuse = [&](const ResolverSchema& resolver, std::string_view why) {
    refusals.push_back(fmt::format("{}: resolver {}: {}", impl.where(), resolver.name, why));
  };
  for (const ResolverSchema& resolver : resolvers) {
    const auto now = std::ranges::find(impl.known_resolvers, resolver.name, &ResolverSchema::name);
    WEIR_ASSERT(now != impl.known_resolvers.end(), "check_builds() of a resolver that is not here");
    if ((now->state == nullptr) != (resolver.state == nullptr)) {
      refuse(resolver, now->state == nullptr
                           ? "it would begin to have State; restart the host with this build"
                           : "it would be stateless, and its State would miss records; give the "
                             "stateless resolver a new name and restart the host");
    } else if (now->timers != resolver.timers) {
      refuse(resolver, now->timers ? "it would have no handler for its timers any more, so that "
                                     "none of them fires; keep .on_notify<>()"
                                   : "it would begin to have timers, which the build that runs "
                                     "could not fire after a rollback; restart the host with this "
                                     "build");
    }
  }
  if (!refusals.empty()) return error(Errc::refused, "{}", fmt::join(refusals, "\n"));
  auto joined = register_in(impl.next_catalog, resolvers, {});
  if (joined) {
    if (!impl.running_builds_read(*joined)) joined->undo = UndoStep::begin;
    return joined;
  }
  if (ways == Ways::back) {
    if (auto before = register_in(impl.undo_catalog, resolvers, {})) {
      before->undo = UndoStep::roll_back;
      return before;
    }
  }
  return error(joined.error().code, "{}: {}", impl.where(), joined.error().message);
}

void TaskStore::stage(Registration accepted) {
  Impl& impl = *impl_;
  if (accepted.undo == UndoStep::begin) impl.undo_catalog = impl.next_catalog;
  if (!impl.stored_catalog) impl.stored_catalog = std::move(impl.next_catalog);
  impl.next_catalog = std::move(accepted.catalog);
  for (Impl::OpenState& state : impl.states) {
    if (!state.open) continue;
    state.schema = static_cast<std::uint16_t>(impl.next_catalog.resolvers.at(state.name).schema());
  }
  impl.know(impl.next_catalog);
}

// A timer whose handler is gone would never fire, and nobody would notice.
Result<void> TaskStore::Impl::check_timers(MDB_txn* txn, std::span<const ResolverSchema> registered,
                                           std::span<const ResolverId> ids) {
  std::string refusal;
  bool any = false;
  for (std::size_t i = 0; i < registered.size(); ++i) {
    any = any || registered[i].timers;
    if (ids[i] == 0 || registered[i].timers) continue;
    WEIR_TRY(const std::uint64_t count, timers->count(txn, ids[i]));
    if (count == 0) continue;
    refusal += fmt::format(
        "{}resolver {}: it has {} set, and {} of version {} has no handler that they could "
        "call; load a build with .on_notify<>(), or give the resolver without timers a new name",
        refusal.empty() ? "" : "\n", registered[i].name, counted(count, "timer"), registered[i].use,
        registered[i].plugin_version);
  }
  if (!refusal.empty()) return error(Errc::refused, "{}: {}", where(), refusal);
  if (!any) return {};
  if (const int code = raise_format(txn, environment_format_with_timers); code != 0) {
    return environment->error(code, where() + ": registering resolvers");
  }
  return {};
}

// From here on a host that does not know the format would lose something.
int TaskStore::Impl::raise_format(MDB_txn* txn, std::uint32_t format) const {
  v1::Environment stored = identity;
  MDB_val key = to_val(names::environment);
  MDB_val value{};
  if (const int code = mdb_get(txn, meta, &key, &value); code != 0) return code;
  if (!rows->parse(names::environment, to_view(value), &stored, "the row environment")) {
    return MDB_CORRUPTED;
  }
  if (stored.format() >= format) return 0;
  stored.set_format(format);
  return Rows::put(txn, meta, names::environment, stored);
}

Result<MDB_txn*> TaskStore::Impl::reader() const {
  if (reading_fault != 0) return environment->error(reading_fault, "reading " + where());
  return reading;
}

Result<std::optional<Timer>> TaskStore::timer(ResolverId resolver, std::string_view key) {
  WEIR_TRY(MDB_txn * txn, impl_->reader());
  return impl_->timers->get(txn, resolver, key);
}

Result<std::vector<KeyTimer>> TaskStore::next_timers(ResolverId resolver, const KeyTimer* after,
                                                     std::size_t count) {
  WEIR_TRY(MDB_txn * txn, impl_->reader());
  return impl_->timers->next(txn, resolver, after, count);
}

Result<std::uint64_t> TaskStore::timer_count(ResolverId resolver) {
  WEIR_TRY(MDB_txn * txn, impl_->reader());
  return impl_->timers->count(txn, resolver);
}

Result<std::vector<StoredParkedKey>> TaskStore::parked_keys() {
  WEIR_TRY(MDB_txn * txn, impl_->reader());
  return impl_->parked->keys(txn, 0, std::numeric_limits<std::size_t>::max());
}

Result<std::vector<v1::ParkedRecord>> TaskStore::parked_records(const StoredParkedKey& key,
                                                                std::uint64_t sequence,
                                                                ParkedLimit limit) {
  WEIR_TRY(MDB_txn * txn, impl_->reader());
  return impl_->parked->records(txn, key, sequence, limit);
}

Result<OlderStates> TaskStore::older_states(ResolverId resolver, std::string_view from,
                                            std::uint32_t state_version, OlderLimit limit) {
  Impl& impl = *impl_;
  WEIR_TRY(MDB_txn * txn, impl.reader());
  OlderStates out;
  Cursor cursor;
  int code = cursor.open(txn, impl.states[resolver].dbi);
  MDB_val key = to_val(from);
  MDB_val value{};
  std::size_t bytes = 0;
  if (code == 0) {
    code = mdb_cursor_get(cursor.get(), &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
  }
  for (; code == 0; code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) {
    if (out.visited == limit.visited || out.keys.size() == limit.keys || bytes > limit.bytes) {
      out.next = to_view(key);
      break;
    }
    ++out.visited;
    Row row;
    const bool known = read_row(to_view(key), to_view(value), row) == RowFault::none &&
                       row.schema < impl.known.size() && impl.known[row.schema].known;
    if (known && impl.known[row.schema].state_version >= state_version) continue;
    out.keys.emplace_back(to_view(key));
    bytes += value.mv_size;
  }
  if (code != 0 && code != MDB_NOTFOUND) {
    return impl.environment->error(code, "reading " + impl.where());
  }
  return out;
}

template <typename Write>
Result<void> TaskStore::Impl::change(std::string_view what, const Write& write) {
  const std::string doing = fmt::format("{}: changing {}", where(), what);
  MDB_txn* raw = nullptr;
  if (const int code = mdb_txn_begin(environment->get(), nullptr, 0, &raw); code != 0) {
    return environment->error(code, doing);
  }
  Transaction txn(raw);
  WEIR_CHECK(check_head(raw));
  int code = undo.begin(raw, undo_head.has_value());
  if (code == 0) code = write(raw);
  if (code == 0) code = txn.commit();
  if (code != 0) return environment->error(code, doing);
  renew();
  return {};
}

Result<void> TaskStore::change_parked(std::span<const ParkedChange> changes) {
  return impl_->change("what waits", [&](MDB_txn* txn) { return impl_->put_parked(txn, changes); });
}

Result<void> TaskStore::change_states(std::span<const StateChange> changes) {
  WEIR_CHECK(impl_->check(changes));
  return impl_->change("States", [&](MDB_txn* txn) { return impl_->put_states(txn, changes); });
}

Result<std::optional<StoredState>> TaskStore::get(ResolverId resolver, std::string_view key) {
  Impl& impl = *impl_;
  WEIR_ASSERT(resolver < impl.states.size() && impl.states[resolver].open,
              "get() of a resolver that is not registered");
  const Impl::OpenState& state = impl.states[resolver];
  if (key.empty() || key.size() > key_bytes_max) {
    return error(Errc::invalid, "resolver {}: a key of {} bytes, expected 1 to {}", state.name,
                 key.size(), key_bytes_max);
  }
  MDB_val k = to_val(key);
  MDB_val v{};
  const int code =
      impl.reading_fault != 0 ? impl.reading_fault : mdb_get(impl.reading, state.dbi, &k, &v);
  if (code == MDB_NOTFOUND) return std::optional<StoredState>();
  if (code != 0) return impl.environment->error(code, "reading " + impl.where());
  Row row;
  const RowFault fault = read_row(key, to_view(v), row);
  if (fault == RowFault::none && row.schema < impl.known.size() && impl.known[row.schema].known) {
    return std::optional<StoredState>(
        StoredState{row.payload, row.schema, impl.known[row.schema].state_version});
  }
  const std::string name =
      fmt::format("the State of resolver {} for key \"{}\"", state.name, printable(key));
  if (fault != RowFault::none) return impl.rows->corrupt(name, describe(fault, to_view(v)));
  return impl.rows->corrupt(name, fmt::format("names schema {}, which is not stored", row.schema));
}

Result<void> TaskStore::Impl::check(const CommitRequest& request) const {
  const v1::CommitId& id = request.head.commit();
  const std::uint64_t sequence = head ? head->commit().sequence() + 1 : 1;
  if (id.lineage() != identity.lineage() || id.sequence() != sequence) {
    return error(Errc::internal, "{}: commit {} of lineage {:016x}, expected {} of {:016x}",
                 where(), id.sequence(), id.lineage(), sequence, identity.lineage());
  }
  WEIR_CHECK(check(request.states));
  const StoredTimerChange* last_timer = nullptr;
  for (const StoredTimerChange& change : request.timers) {
    WEIR_ASSERT(change.resolver < states.size() && states[change.resolver].open,
                "commit() of a resolver that is not registered");
    WEIR_ASSERT(last_timer == nullptr || last_timer->resolver < change.resolver ||
                    (last_timer->resolver == change.resolver && last_timer->key < change.key),
                "commit() takes timers sorted by resolver and key");
    WEIR_ASSERT(!change.timer || change.key.size() <= timer_key_bytes_max,
                "a call has let a timer of a longer key pass");
    last_timer = &change;
  }
  return {};
}

Result<void> TaskStore::Impl::check(std::span<const StateChange> changes) const {
  const StateChange* last = nullptr;
  for (const StateChange& change : changes) {
    WEIR_ASSERT(change.resolver < states.size() && states[change.resolver].open,
                "commit() of a resolver that is not registered");
    WEIR_ASSERT(last == nullptr || last->resolver < change.resolver ||
                    (last->resolver == change.resolver && last->key < change.key),
                "commit() takes States sorted by resolver and key");
    last = &change;
    const std::string& name = states[change.resolver].name;
    if (change.key.empty() || change.key.size() > key_bytes_max) {
      return error(Errc::invalid, "resolver {}: a key of {} bytes, expected 1 to {}", name,
                   change.key.size(), key_bytes_max);
    }
    if (change.bytes && change.bytes->size() > state_bytes_max) {
      return error(Errc::invalid,
                   "resolver {}: the State for key \"{}\" is {}, the most that is stored is {}",
                   name, printable(change.key), readable_bytes(change.bytes->size()),
                   readable_bytes(state_bytes_max));
    }
  }
  return {};
}

int TaskStore::Impl::put_states(MDB_txn* txn, std::span<const StateChange> changes) {
  Cursor cursor;
  ResolverId current = 0;  // no State has this id
  for (const StateChange& change : changes) {
    const OpenState& state = states[change.resolver];
    if (change.resolver != current) {
      if (const int code = cursor.open(txn, state.dbi); code != 0) return code;
      current = change.resolver;
    }
    if (const int code = undo.keep(txn, state.dbi, change.key); code != 0) return code;
    MDB_val key = to_val(change.key);
    if (!change.bytes) {
      MDB_val ignored{};
      int code = mdb_cursor_get(cursor.get(), &key, &ignored, MDB_SET);
      if (code == 0) code = mdb_cursor_del(cursor.get(), 0);
      if (code != 0 && code != MDB_NOTFOUND) return code;
      continue;
    }
    // One cursor and sorted keys: a key on the same page as the one before needs no search from
    // the root. MDB_RESERVE lets header and State go straight into the page.
    MDB_val value{row_header_bytes + change.bytes->size(), nullptr};
    if (const int code = mdb_cursor_put(cursor.get(), &key, &value, MDB_RESERVE); code != 0) {
      return code;
    }
    auto* row = static_cast<char*>(value.mv_data);
    if (!change.bytes->empty()) {
      std::memcpy(row + row_header_bytes, change.bytes->data(), change.bytes->size());
    }
    write_row_header(row, change.key, state.schema, *change.bytes);
  }
  return 0;
}

int TaskStore::Impl::put_parked(MDB_txn* txn, std::span<const ParkedChange> changes) const {
  if (changes.empty()) return 0;
  if (const int code = raise_format(txn, environment_format_with_parked); code != 0) return code;
  return parked->put(txn, changes);
}

int TaskStore::Impl::put_outbox(MDB_txn* txn, std::span<const std::string_view> pieces) {
  if (outbox_rows != 0) {
    if (const int code = mdb_drop(txn, outbox, 0); code != 0) return code;
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::string key = names::outbox_key(static_cast<std::uint32_t>(i));
    if (const int code = Rows::put(txn, outbox, key, pieces[i], MDB_APPEND); code != 0) return code;
  }
  return 0;
}

// The lock of the state directory keeps a second writer out. Should it ever fail, this one's States
// and position are those of an older commit.
Result<void> TaskStore::Impl::check_head(MDB_txn* txn) const {
  v1::Head stored;
  WEIR_TRY(const bool found, rows->get(txn, meta, names::head, &stored, "the row head"));
  const std::uint64_t nonce = head ? head->commit().nonce() : 0;
  const std::uint64_t sequence = head ? head->commit().sequence() : 0;
  if (found == head.has_value() && stored.commit().sequence() == sequence &&
      stored.commit().nonce() == nonce) {
    return {};
  }
  return error(Errc::refused,
               "{}: another process has written commit {} to {}, this one goes on from commit {}; "
               "stop the other host and start again",
               where(), stored.commit().sequence(), options.directory.string(), sequence);
}

Result<int> TaskStore::Impl::write_all(const CommitRequest& request) {
  MDB_txn* raw = nullptr;
  if (const int code = mdb_txn_begin(environment->get(), nullptr, 0, &raw); code != 0) return code;
  Transaction txn(raw);
  WEIR_CHECK(check_head(raw));
  int code = 0;
  if (request.drop) {
    WEIR_ASSERT(request.undo == UndoStep::forget,
                "a task that is dropped has nothing to go back to");
    WEIR_TRY(code, drop(raw));
  }
  if (code == 0 && request.undo == UndoStep::roll_back) code = UndoLog::restore(raw);
  if (code == 0) {
    code = undo.begin(raw, undo_head.has_value() && request.undo == UndoStep::none);
  }
  if (code == 0 && stored_catalog && request.undo != UndoStep::roll_back) {
    code = put_catalog(raw, *stored_catalog, next_catalog);
  }
  if (code == 0) code = write_rows(raw, request);
  if (code == 0) code = write_undo(raw, request);
  return code != 0 ? code : txn.commit();
}

int TaskStore::Impl::put_catalog(MDB_txn* txn, const Catalog& before, const Catalog& after) const {
  for (const Catalog& catalog : {std::cref(before), std::cref(after)}) {
    for (const auto& [name, entry] : catalog.resolvers) {
      if (const int code = undo.keep(txn, resolvers, name); code != 0) return code;
    }
  }
  return Rows::put(txn, resolvers, schemas, before, after);
}

int TaskStore::Impl::write_undo(MDB_txn* txn, const CommitRequest& request) const {
  if (request.undo == UndoStep::none) return 0;
  if (const int code = UndoLog::forget(txn); code != 0) return code;
  if (request.undo == UndoStep::begin) {
    if (const int code = raise_format(txn, environment_format_with_undo); code != 0) return code;
    return Rows::put(txn, meta, names::undo, request.head);
  }
  MDB_val key = to_val(names::undo);
  const int code = mdb_del(txn, meta, &key, nullptr);
  return code == MDB_NOTFOUND ? 0 : code;
}

Result<std::vector<std::pair<ResolverId, MDB_dbi>>> TaskStore::Impl::state_databases(
    MDB_txn* txn) const {
  WEIR_TRY(const Catalog catalog, rows->catalog(txn, resolvers, schemas));
  std::vector<std::pair<ResolverId, MDB_dbi>> out;
  for (const auto& [name, entry] : catalog.resolvers) {
    MDB_dbi dbi = 0;
    const int code = mdb_dbi_open(txn, names::state(entry.id()).c_str(), 0, &dbi);
    if (code == MDB_NOTFOUND) continue;  // stateless
    if (code != 0) return environment->error(code, "reading " + where());
    out.emplace_back(entry.id(), dbi);
  }
  return out;
}

Result<int> TaskStore::Impl::drop(MDB_txn* txn) const {
  WEIR_ASSERT(states.empty(), "commit() with drop after register_resolvers()");
  WEIR_TRY(const auto databases, state_databases(txn));
  for (const auto& [resolver, dbi] : databases) {
    if (const int code = mdb_drop(txn, dbi, /*del=*/1); code != 0) return code;
  }
  for (const MDB_dbi dbi : {resolvers, schemas}) {
    if (const int code = mdb_drop(txn, dbi, 0); code != 0) return code;
  }
  if (const int code = timers->drop(txn); code != 0) return code;
  return parked->drop(txn);
}

int TaskStore::Impl::write_rows(MDB_txn* txn, const CommitRequest& request) {
  step("begun");
  if (const int code = put_states(txn, request.states); code != 0) return code;
  step("states_put");
  if (const int code = timers->put(txn, request.timers); code != 0) return code;
  step("timers_put");
  if (const int code = put_parked(txn, request.parked); code != 0) return code;
  step("parked_put");
  if (const int code = put_outbox(txn, request.outbox); code != 0) return code;
  step("outbox_put");
  if (const int code = Rows::put(txn, meta, names::head, request.head); code != 0) return code;
  step("head_put");
  return 0;
}

Result<void> TaskStore::commit(const CommitRequest& request) {
  Impl& impl = *impl_;
  WEIR_CHECK(impl.check(request));
  // Before the transaction: pages that only dead readers held can serve this commit already.
  if (impl.commit_count++ % commits_between_reader_checks == 0) {
    impl.environment->free_dead_readers();
  }
  WEIR_TRY(int code, impl.write_all(request));
  // A reader that died a moment ago may be all that is in the way.
  if (code == MDB_MAP_FULL && impl.environment->free_dead_readers() > 0) {
    WEIR_TRY(code, impl.write_all(request));
  }
  if (code != 0) {
    return impl.environment->error(
        code, fmt::format("commit {} of {}", request.head.commit().sequence(), impl.where()));
  }
  impl.step("committed");
  impl.outbox_rows = request.outbox.size();
  impl.head = request.head;
  if (request.undo == UndoStep::begin) {
    impl.undo_head = request.head;
  } else if (request.undo != UndoStep::none) {
    impl.undo_head.reset();
  }
  impl.stored_catalog.reset();
  if (request.undo == UndoStep::roll_back) impl.next_catalog = impl.undo_catalog;
  if (request.drop) impl.known.clear();
  impl.renew();
  return {};
}

Result<TaskStore::Contents> TaskStore::contents() {
  Impl& impl = *impl_;
  // A write transaction that writes nothing: it alone may open databases and give them back.
  MDB_txn* raw = nullptr;
  if (const int code = mdb_txn_begin(impl.environment->get(), nullptr, 0, &raw); code != 0) {
    return impl.environment->error(code, "reading " + impl.where());
  }
  const Transaction txn(raw);
  WEIR_TRY(const auto databases, impl.state_databases(raw));
  Contents out;
  for (const auto& [resolver, dbi] : databases) {
    MDB_stat stat{};
    if (const int code = mdb_stat(raw, dbi, &stat); code != 0) {
      return impl.environment->error(code, "reading " + impl.where());
    }
    out.states += stat.ms_entries;
    WEIR_TRY(const std::uint64_t timers, impl.timers->count(raw, resolver));
    out.timers += timers;
  }
  if (const int code = impl.parked->count(raw, out.parked); code != 0) {
    return impl.environment->error(code, "reading " + impl.where());
  }
  return out;
}

Result<std::vector<std::string>> TaskStore::outbox() {
  Impl& impl = *impl_;
  std::vector<std::string> out;
  if (impl.reading_fault != 0) {
    return impl.environment->error(impl.reading_fault, "reading " + impl.where());
  }
  const auto take = [&](std::string_view key, std::string_view stored) -> Result<void> {
    const std::string name = fmt::format("outbox row {}", out.size());
    if (key != names::outbox_key(static_cast<std::uint32_t>(out.size()))) {
      return impl.rows->corrupt(name, "is missing");
    }
    Row row;
    const RowFault fault = read_row(key, stored, row);
    if (fault != RowFault::none) return impl.rows->corrupt(name, describe(fault, stored));
    out.emplace_back(row.payload);
    return {};
  };
  WEIR_CHECK(impl.rows->each(impl.reading, impl.outbox, take));
  return out;
}

TaskStore::Usage TaskStore::usage() const {
  const Environment::Space space = impl_->environment->space();
  return {space.map_bytes, space.file_bytes, space.used_bytes};
}

}  // namespace weir::host
