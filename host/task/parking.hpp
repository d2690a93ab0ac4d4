#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tsl/robin_map.h>

#include "base/result.hpp"
#include "commit/task_store.hpp"
#include "log/log.hpp"
#include "resolve/live_states.hpp"

namespace weir::host {

/// What waits in one task: keys whose first record could not be handled yet, each with its records
/// in order. The keys are in memory; of their records only those that the open commit has parked.
/// Reads no clock and calls nobody. [task]
class Parking {
 public:
  static constexpr std::int64_t never_ms = std::numeric_limits<std::int64_t>::max();

  struct Limits {
    std::uint64_t records_per_key = 10'000;
    std::uint64_t bytes_per_key = std::uint64_t{128} << 20;
    std::uint64_t keys = 10'000;
    std::uint64_t bytes = std::uint64_t{4} << 30;
  };

  /// A key that waits in one resolver. Its address is good until it waits no more.
  struct Key {
    std::size_t resolver = 0;  ///< index
    std::uint64_t number = 0;
    v1::ParkedKey row;
    std::optional<std::int64_t> due_ms;  ///< on Clock::steady_ms(); absent: an operator's business

    std::uint64_t record_count() const { return row.next() - row.first(); }
    MaybeBytes key() const {
      return row.has_key() ? MaybeBytes(std::string_view(row.key())) : std::nullopt;
    }

   private:
    friend class Parking;
    std::uint64_t stored_next = 0;     // the store has the records below
    bool changed = false;              // since the last commit
    std::vector<std::string> records;  // of the open commit, from stored_next on, serialized
  };

  /// What of a key says when and why it is tried again.
  struct Wait {
    std::optional<std::int64_t> for_ms;  ///< absent: until wait() says another
    std::uint32_t attempts = 0;
    std::string_view reason;
    std::int64_t offset = 0;  ///< of the record that was tried
  };
  struct Now {
    std::int64_t wall_ms = 0;
    std::int64_t steady_ms = 0;
  };

  /// What one resolver, or a whole task, has waiting.
  struct Count {
    std::uint64_t keys = 0;
    std::uint64_t records = 0;
  };

  /// `store` outlives this.
  Parking(TaskStore& store, Limits limits) : store_(store), limits_(limits) {}
  Parking(const Parking&) = delete;
  Parking& operator=(const Parking&) = delete;

  struct Resolver {
    std::string_view name;
    std::int64_t wait_max_ms = 0;  ///< no due time is later, also where the host's clock went back
  };
  /// Reads what is committed. Once. The result: how much waits for resolvers that are not among
  /// `resolvers`; that stays where it is.
  Result<Count> open(std::span<const Resolver> resolvers, Now now);

  std::size_t key_count() const { return keys_.size(); }
  Count count(std::size_t resolver) const { return counts_[resolver]; }
  /// Keys that no time ends.
  std::size_t without_due_time() const { return keys_.size() - due_.size(); }
  std::uint64_t bytes() const { return bytes_; }
  /// What the open commit has parked.
  std::uint64_t open_bytes() const { return open_bytes_; }

  /// Null: it does not wait. `key_hash` is LiveStates::hash(key).
  Key* find(std::size_t resolver, std::string_view key, std::size_t key_hash) const;

  template <typename Visit>
  void each(const Visit& visit) const {
    for (const auto& [number, key] : keys_) visit(*key);
  }

  /// Why `record` cannot wait behind `key` (null: with a key of its own); empty: it can.
  std::string no_room(const Key* key, const v1::ParkedRecord& record) const;

  /// Another key, without records: append() comes next. Absent: the record waits alone.
  Key& add(std::size_t resolver, MaybeBytes key, std::int64_t wall_ms);
  void append(Key& key, const v1::ParkedRecord& record);

  void wait(Key& key, const Wait& wait, Now now);

  /// The key whose turn it is; null: none is due.
  Key* due(std::int64_t steady_ms) const;
  std::int64_t next_due_ms() const { return due_.empty() ? never_ms : due_.begin()->first; }

  /// The first records of a key: at least one.
  Result<std::vector<v1::ParkedRecord>> front(const Key& key, ParkedLimit limit);

  /// The first record, or the one that was appended last, waits no more. True: nor does the key,
  /// which is gone.
  bool remove_first(Key& key, std::uint64_t record_bytes);
  bool take_back(Key& key);

  /// What the commit has to write. Valid until the next call of any other method.
  std::vector<ParkedChange> changes() const;
  /// They are durable.
  void committed();

 private:
  struct Hash {
    std::size_t operator()(std::string_view key) const { return LiveStates::hash(key); }
  };
  using ByKey = tsl::robin_map<std::string_view, Key*, Hash, std::equal_to<>>;

  Key& insert(std::unique_ptr<Key> key);
  bool removed(Key& key, std::uint64_t record_bytes);
  void set_due(Key& key, std::optional<std::int64_t> due_ms);
  void change(Key& key);

  TaskStore& store_;
  Limits limits_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Key>> keys_;  // by number
  std::vector<ByKey> by_key_;                                     // by resolver; views into Key
  std::vector<Count> counts_;                                     // by resolver
  std::set<std::pair<std::int64_t, std::uint64_t>> due_;          // time and number
  std::vector<std::string> names_;                                // of resolvers
  std::vector<std::uint64_t> changed_;                            // numbers, maybe of keys gone
  std::vector<std::uint64_t> gone_;                               // of keys that the store has
  std::uint64_t next_number_ = 1;
  std::uint64_t bytes_ = 0;
  std::uint64_t open_bytes_ = 0;
};

}  // namespace weir::host
