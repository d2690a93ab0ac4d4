#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tsl/robin_map.h>
#include <xxhash.h>

#include "base/arena.hpp"
#include "base/result.hpp"
#include "resolve/applied_call.hpp"
#include "resolve/instance.hpp"

namespace weir::host {

/// The port through which the live set reads what was committed.
class CommittedStates {
 public:
  struct State {
    std::string_view bytes;  ///< valid until the next call
    std::uint32_t state_version = 0;
  };
  virtual ~CommittedStates() = default;
  virtual Result<std::optional<State>> get(std::string_view key) = 0;
};

/// The State of one key, in the plugin's memory. What every record needs lies in the first cache
/// line: with many keys, the path of a record is mostly waiting for memory.
struct alignas(64) LiveState {
  std::string key;
  weir_state* state = nullptr;     ///< null after a discard, until the next touch
  AppliedCall* applied = nullptr;  ///< newest call of the open commit, since `base`
  /// Where a rebuild starts: what is stored, or a State saved in the middle of the open commit.
  enum class Base : std::uint8_t { stored, saved, initial } base = Base::stored;
  bool stored = false;            ///< the store has bytes for it
  bool touched = false;           ///< listed for the next commit
  bool outdated = false;          ///< what is stored is of an older State version
  std::uint32_t last_commit = 0;  ///< the newest one that it was part of
  std::uint64_t charged = 0;      ///< what it counts for in the estimate
  XXH128_hash_t digest{};         ///< of the stored bytes
  std::string saved_base;

  /// Is it loaded, and listed for the next commit?
  bool ready() const { return touched && state != nullptr; }
};

/// The States of one resolver in one task that are live in the plugin.
///
/// The promise of a failed call: rebuild() throws the key's State away, loads what was committed
/// and repeats the key's earlier calls of the open commit with their effects dropped. So a success
/// costs nothing but a link in a chain, and a failure is exact as long as the resolver is
/// deterministic.
///
/// Bounded by count and by estimated bytes; what the open commit has touched stays. [task]
class LiveStates {
 public:
  struct Limits {
    std::uint64_t count = 200'000;
    std::uint64_t bytes = std::uint64_t{256} << 20;
  };
  /// A parsed message takes a multiple of its wire bytes; lite messages cannot say how much.
  static constexpr std::uint64_t bytes_factor = 4;
  /// Bookkeeping of one live State beside the plugin's own memory.
  static constexpr std::uint64_t bytes_overhead = 200;

  LiveStates(ResolverInstance& instance, CommittedStates& committed, Limits limits);
  ~LiveStates();
  LiveStates(const LiveStates&) = delete;
  LiveStates& operator=(const LiveStates&) = delete;

  static std::size_t hash(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

  /// Null: not live. `key_hash` is hash(key).
  LiveState* find(std::string_view key, std::size_t key_hash) const {
    const auto found = states_.find(key, key_hash);
    return found == states_.end() ? nullptr : found->second.get();
  }

  /// The key's State, loaded where it is not live, and listed for the next commit.
  Result<LiveState*> touch(std::string_view key, std::size_t key_hash);

  /// Makes sure that `live` is loaded and listed.
  Result<void> touch(LiveState& live);

  /// What a run of records asks for, and what is there.
  struct Wanted {
    std::string_view key;  ///< empty: nothing
    std::size_t hash = 0;  ///< hash(key)
    LiveState* live = nullptr;
  };
  /// Sets `live` where the key's State is live. The States lie all over the memory: here the
  /// processor waits for many of them at a time.
  void find(std::span<Wanted> wanted);

  /// The call for `record` succeeded. A copy of the record goes to `arena`, which lives until
  /// committed().
  void applied(LiveState& live, const weir_record& record, std::int64_t arrival_ms, Arena& arena) {
    live.applied = keep_call(record, arrival_ms, live.key, live.applied, arena);
  }

  /// The same for the firing of its timer.
  void fired(LiveState& live, CallTimes times, Arena& arena) {
    live.applied = keep_firing(times.event_ms, times.arrival_ms, live.applied, arena);
  }

  /// The call that was just applied asked for the State to go.
  void discard(LiveState& live);

  /// The State as it was after the last applied call. Errc::internal: an earlier call of the key
  /// did not repeat, so the resolver is not deterministic; the task must halt.
  Result<void> rebuild(LiveState& live);

  /// The State as it was before the call for the record at `offset`, if that is its newest one; for
  /// a record that has to come again as a whole.
  Result<void> unapply(LiveState& live, std::int64_t offset);

  struct Change {
    LiveState* live = nullptr;
    std::optional<std::string_view> bytes;  ///< absent: delete
    XXH128_hash_t digest{};
  };
  /// What the commit has to write, sorted by key; unchanged States are not in it. Bytes in `arena`.
  Result<std::vector<Change>> changes(Arena& arena);

  /// `changes` are durable: they are what is stored now. Over a limit, those go that were not used
  /// for longest.
  void committed(std::span<const Change> changes);

  /// The State of a key as the last successful call left it, serialized; absent: none. Loads
  /// nothing into the live set.
  Result<std::optional<std::string>> peek(std::string_view key);

  /// Frees `count` States at most, whatever they hold; false: none are left. After the first call
  /// only this one and the destructor, which then may run on any thread, are allowed.
  bool release(std::size_t count);

  std::uint64_t count() const { return states_.size(); }
  std::uint64_t estimated_bytes() const { return estimated_bytes_; }
  std::uint64_t touched_count() const { return touched_.size(); }
  bool over_limit() const {
    return states_.size() > limits_.count || estimated_bytes_ > limits_.bytes;
  }

 private:
  struct Hash {
    std::size_t operator()(std::string_view key) const { return hash(key); }
  };
  using Map =
      tsl::robin_map<std::string_view, std::unique_ptr<LiveState>, Hash, std::equal_to<>,
                     std::allocator<std::pair<std::string_view, std::unique_ptr<LiveState>>>,
                     /*StoreHash=*/true>;

  static bool has_changed(const LiveState& live) {
    return live.applied != nullptr || live.base != LiveState::Base::stored || live.outdated;
  }
  Result<void> load(LiveState& live);
  Result<void> repeat(LiveState& live, const AppliedCall& call);
  Result<void> repeat_record(LiveState& live, const AppliedCall& call);
  Result<void> repeat_firing(LiveState& live, const AppliedCall& call);
  void unload(LiveState& live);
  void charge(LiveState& live, std::uint64_t serialized_bytes);
  void forget(LiveState& live);
  void evict();
  LiveState*& hint(std::size_t key_hash) { return hints_[key_hash & (hints_.size() - 1)]; }

  ResolverInstance& instance_;
  CommittedStates& committed_;
  Limits limits_;
  Map states_;  // keys point into their LiveState
  /// By hash, the State that was found there last, or null. Unlike the map's buckets, its places
  /// are known without a look, and so can be asked for ahead. Never points to a State that is gone.
  std::vector<LiveState*> hints_;
  std::vector<LiveState*> touched_;
  std::uint32_t commit_ = 0;  // counts commits, for the order of last use
  std::uint64_t estimated_bytes_ = 0;
  Arena repeat_arena_;
  PreparedRun repeat_run_;
  std::optional<Map::iterator> released_to_;
};

}  // namespace weir::host
