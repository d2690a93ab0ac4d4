#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/timer.hpp"
#include "weir/v1/task.pb.h"

namespace google::protobuf {
class Descriptor;
}

namespace weir::host {

/// Names one resolver's State inside a task; small, never reused.
using ResolverId = std::uint32_t;

/// A State as it was committed.
struct StoredState {
  std::string_view bytes;  ///< valid until the store's next commit() or register_resolvers()
  std::uint32_t schema = 0;
  std::uint32_t state_version = 0;
};

/// One State to write; absent bytes delete it. Views, valid for the call they are passed to.
struct StateChange {
  ResolverId resolver = 0;
  std::string_view key;
  std::optional<std::string_view> bytes;
};

/// One timer to write; absent deletes it. Valid for the call it is passed to.
struct StoredTimerChange {
  ResolverId resolver = 0;
  std::string_view key;
  std::optional<Timer> timer;
};

/// A key that waits, with the number that its records are found by; never 0.
struct StoredParkedKey {
  std::uint64_t number = 0;
  v1::ParkedKey key;
};

/// How many records of a parked key are wanted at a time.
struct ParkedLimit {
  std::size_t records = 256;
  std::size_t bytes = std::size_t{4} << 20;  ///< soft: one bigger record comes alone
};

/// How much of TaskStore::older_states() is wanted at a time.
struct OlderLimit {
  std::size_t visited = 0;
  std::size_t keys = 0;
  std::size_t bytes = 0;  ///< of their States; soft
};

struct OlderStates {
  std::vector<std::string> keys;
  std::uint64_t visited = 0;  ///< States that were looked at, those of `keys` included
  std::string next;           ///< where the next ones begin; empty: there are none
};

/// What becomes of one parked key. Valid for the call it is passed to.
struct ParkedChange {
  std::uint64_t number = 0;
  const v1::ParkedKey* key = nullptr;  ///< null: nothing of it waits any more
  /// Behind its stored records, and so to below `key->next()`; each a serialized v1::ParkedRecord.
  std::uint64_t appended_from = 0;
  std::span<const std::string> appended = {};
};

/// What a commit does with the task's undo log: so that code which cannot read what newer code has
/// written gets exactly what that code was given.
enum class UndoStep {
  none,
  /// What the commits and registrations after this one overwrite is kept, until one of the others.
  /// Survives restarts.
  begin,
  /// First everything becomes what it was after the commit that began it: States, timers, parked
  /// records, resolvers. Then register_resolvers() before the next commit with States or timers.
  roll_back,
  forget,
};

/// The step that makes everything since the last commit durable, or nothing of it.
struct CommitRequest {
  /// Head of the new commit, complete.
  v1::Head head;
  /// Sorted by (resolver, key), each at most once.
  std::span<const StateChange> states;
  /// Encoded features and dead letters in their order, in pieces of at most 1 MiB or one big one.
  /// The store does not look into them. They replace the outbox of the commit before.
  std::span<const std::string_view> outbox;
  /// Sorted by (resolver, key), each at most once.
  std::span<const StoredTimerChange> timers = {};
  /// Each number at most once. Stored records of a key that are before its new `first` go.
  std::span<const ParkedChange> parked = {};
  /// First deletes every State, timer, parked record, resolver and schema of the task. Before
  /// register_resolvers(), with UndoStep::forget.
  bool drop = false;
  UndoStep undo = UndoStep::none;
};

/// What a resolver of the app brings along when a task opens.
struct ResolverSchema {
  std::string name;  ///< in the app's YAML
  std::string renamed_from;
  std::string use;  ///< plugin/resolver
  std::string plugin_version;
  const google::protobuf::Descriptor* state = nullptr;  ///< null: stateless
  std::uint32_t state_version = 0;
  std::uint32_t state_readable_by = 0;  ///< the oldest version whose code reads it; 0: its own
  bool timers = false;                  ///< it has a handler for them
};

struct Registration;  // catalog.hpp

/// The durable half of one task: one LMDB environment with States, timers, offsets, outbox, commit
/// id and descriptors. host/docs/record-format.md has the grammar of what it holds.
///
/// Lifecycle: open() -> register_resolvers() -> (get()* commit())* -> destructor. [task], apart
/// from readers of other processes, which use StateReader.
class TaskStore {
 public:
  struct Options {
    std::filesystem::path directory;  ///< made if missing
    std::string app;
    std::string task;
    std::uint64_t map_bytes = std::uint64_t{64} << 30;
    bool sync = true;  ///< false: for tests and the TestDriver, where the process is the only fault
    /// For tests that kill: called inside commit() with "begun", "states_put", "timers_put",
    /// "parked_put", "outbox_put", "head_put" and "committed" as each is reached.
    std::function<void(std::string_view step)> at_step;
  };

  /// Errc::refused: the directory belongs to another app or task, or is open in this process.
  /// Errc::corrupt: it is not ours or of a newer format. Errc::io otherwise.
  static Result<std::unique_ptr<TaskStore>> open(const Options& options);
  ~TaskStore();

  /// Compares each State's descriptor with every one stored before (schema_check.hpp), stores new
  /// ones, keeps State under `renamed_from`, and gives every stateful resolver its id, in the order
  /// of `resolvers` (0 for stateless ones). One transaction.
  /// May be called again for other builds of the plugins. Records `started_at` for resolvers whose
  /// State begins now. Errc::refused: a State would be misread or lost, or a timer never fire; the
  /// message has one line for each reason, naming the field and the way out, and nothing was
  /// changed.
  Result<std::vector<ResolverId>> register_resolvers(std::span<const ResolverSchema> resolvers,
                                                     std::span<const v1::Input> started_at);

  /// What register_resolvers() would make of other builds of the resolvers that are registered;
  /// touches nothing. Errc::refused as there, and where only register_resolvers() can follow: a
  /// resolver would begin or cease to have State or timers.
  /// Reads what register_resolvers() and stage() change and nothing else does. [any], but not
  /// beside those two.
  enum class Ways {
    on,    ///< to other builds
    back,  ///< or to those for which the undo log was begun, if they can read nothing newer
  };
  Result<Registration> check_builds(std::span<const ResolverSchema> resolvers,
                                    Ways ways = Ways::on) const;

  /// From the next commit() on States are of the builds that check_builds() has accepted. The
  /// commit writes that, too: until then nothing on the disk knows of them. Costs no transaction.
  void stage(Registration accepted);

  /// What the last register_resolvers() found that an operator should hear, a sentence each: a
  /// resolver that starts now, one that was renamed, State whose resolver is gone from the app.
  const std::vector<std::string>& notes() const;

  /// The head of the newest commit; absent: nothing was ever committed.
  const std::optional<v1::Head>& head() const;
  std::uint64_t lineage() const;

  /// The head of the commit that began the undo log; absent: nothing is kept.
  const std::optional<v1::Head>& undo_head() const;

  /// The committed State of a key. Absent: there is none (not an error).
  /// Copies nothing. Errc::corrupt: its checksum does not fit.
  /// Errc::invalid: the key is empty or longer than key_bytes_max.
  Result<std::optional<StoredState>> get(ResolverId resolver, std::string_view key);

  /// The keys from `from` on (empty: from the first) whose States were committed with an older
  /// State version than `state_version`; those whose rows are damaged, too.
  Result<OlderStates> older_states(ResolverId resolver, std::string_view from,
                                   std::uint32_t state_version, OlderLimit limit);

  /// The committed timer of a key. Absent: there is none. Errc::corrupt: its checksum does not fit.
  Result<std::optional<Timer>> timer(ResolverId resolver, std::string_view key);

  /// The resolver's next `count` committed timers in the order of (time, key), behind `after`;
  /// null: the first ones.
  Result<std::vector<KeyTimer>> next_timers(ResolverId resolver, const KeyTimer* after,
                                            std::size_t count);

  /// How many committed timers the resolver has. Walks over them.
  Result<std::uint64_t> timer_count(ResolverId resolver);

  /// Every key that waits, of all resolvers, in the order of their numbers.
  Result<std::vector<StoredParkedKey>> parked_keys();

  /// The records of a key that waits, from `sequence` on: at least one.
  Result<std::vector<v1::ParkedRecord>> parked_records(const StoredParkedKey& key,
                                                       std::uint64_t sequence, ParkedLimit limit);

  /// Changes what waits, without a commit of the task: an operator's word. Durable when this
  /// returns, or nothing of it.
  Result<void> change_parked(std::span<const ParkedChange> changes);

  /// Writes States anew, without a commit of the task: while no host runs, the same States at a
  /// newer version. Sorted by (resolver, key), each at most once. Durable when this returns, or
  /// nothing of it. Errors as commit().
  Result<void> change_states(std::span<const StateChange> changes);

  /// All of `request`, durable when this returns, or nothing.
  /// Errc::full: the map or the disk has no room; the message says which and what to do. The store
  /// stays usable: a later commit() after room was made succeeds. (A larger map needs a new
  /// open().) Errc::invalid: a key or State is beyond its limit. Errc::internal: `head` does not
  /// continue the newest commit (same lineage, next sequence). Errc::refused: another process has
  /// committed since open().
  Result<void> commit(const CommitRequest& request);

  /// What the newest commit holds, of all resolvers, also those that are not registered.
  struct Contents {
    std::uint64_t states = 0;
    std::uint64_t timers = 0;
    std::uint64_t parked = 0;  ///< records
  };
  Result<Contents> contents();

  /// The outbox of the newest commit, in order.
  Result<std::vector<std::string>> outbox();

  struct Usage {
    std::uint64_t map_bytes = 0;
    std::uint64_t file_bytes = 0;  ///< never shrinks
    std::uint64_t used_bytes = 0;  ///< without what the next commits can use again
  };
  /// Costs a walk over the list of free pages: for metrics, not for every commit.
  Usage usage() const;

 private:
  struct Impl;
  explicit TaskStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
