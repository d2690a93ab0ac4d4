#include "resolve/live_states.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

#include "base/bytes.hpp"
#include "resolve/key_order.hpp"

namespace weir::host {

namespace {

/// A key with more repeated calls than this gets a saved base, so that many failures in one commit
/// do not repeat its whole history each time.
constexpr std::size_t repeats_before_saved_base = 8;

/// How many States ahead their memory is asked for, while all that a commit touched are saved.
constexpr std::size_t prefetch_ahead = 8;

XXH128_hash_t digest_of(std::string_view bytes) { return XXH3_128bits(bytes.data(), bytes.size()); }

}  // namespace

LiveStates::LiveStates(ResolverInstance& instance, CommittedStates& committed, Limits limits)
    : instance_(instance), committed_(committed), limits_(limits) {}

LiveStates::~LiveStates() {
  repeat_run_.release();
  for (auto& entry : states_) {
    if (entry.second != nullptr) unload(*entry.second);
  }
}

bool LiveStates::release(std::size_t count) {
  if (!released_to_) {
    repeat_run_.release();
    released_to_ = states_.begin();
  }
  for (; count > 0 && *released_to_ != states_.end(); --count, ++*released_to_) {
    unload(*(*released_to_)->second);
    released_to_->value().reset();
  }
  return *released_to_ != states_.end();
}

void LiveStates::find(std::span<Wanted> wanted) {
  if (hints_.size() < 2 * states_.size()) hints_.assign(std::bit_ceil(4 * states_.size()), nullptr);
  if (hints_.empty()) return;  // nothing is live
  for (const Wanted& one : wanted) __builtin_prefetch(&hint(one.hash));
  for (Wanted& one : wanted) {
    one.live = hint(one.hash);
    __builtin_prefetch(one.live);
  }
  for (Wanted& one : wanted) {
    if (one.live == nullptr || one.live->key != one.key) {
      one.live = find(one.key, one.hash);
      if (one.live == nullptr) continue;
      hint(one.hash) = one.live;
    }
    __builtin_prefetch(one.live->state, /*for writing*/ 1);
  }
}

Result<LiveState*> LiveStates::touch(std::string_view key, std::size_t key_hash) {
  LiveState* live = find(key, key_hash);
  if (live == nullptr) {
    auto owned = std::make_unique<LiveState>();
    owned->key = key;
    live = owned.get();
    states_.emplace(live->key, std::move(owned));
    if (auto loaded = load(*live); !loaded) {
      forget(*live);
      return std::move(loaded).error();
    }
  }
  WEIR_CHECK(touch(*live));
  return live;
}

Result<void> LiveStates::touch(LiveState& live) {
  if (live.ready()) return {};
  if (!live.touched) {
    live.touched = true;
    touched_.push_back(&live);
  }
  if (live.state == nullptr) {  // discarded in the open commit
    WEIR_TRY(live.state, instance_.load(live.key, nullptr, instance_.manifest().state_version));
  }
  return {};
}

void LiveStates::discard(LiveState& live) { unload(live); }

Result<void> LiveStates::load(LiveState& live) {
  WEIR_TRY(const auto stored, committed_.get(live.key));
  live.stored = stored.has_value();
  if (stored) {
    live.digest = digest_of(stored->bytes);
    charge(live, stored->bytes.size());
    live.outdated = stored->state_version < instance_.manifest().state_version;
    WEIR_TRY(live.state, instance_.load(live.key, &stored->bytes, stored->state_version));
  } else {
    charge(live, 0);
    WEIR_TRY(live.state, instance_.load(live.key, nullptr, instance_.manifest().state_version));
  }
  return {};
}

Result<void> LiveStates::rebuild(LiveState& live) {
  unload(live);
  const std::uint32_t version = instance_.manifest().state_version;
  switch (live.base) {
    case LiveState::Base::stored:
      WEIR_CHECK(load(live));
      break;
    case LiveState::Base::saved: {
      const std::string_view bytes = live.saved_base;
      WEIR_TRY(live.state, instance_.load(live.key, &bytes, version));
      break;
    }
    case LiveState::Base::initial:
      WEIR_TRY(live.state, instance_.load(live.key, nullptr, version));
      break;
  }

  std::vector<const AppliedCall*> calls;
  for (const AppliedCall* call = live.applied; call != nullptr; call = call->previous) {
    calls.push_back(call);
  }
  for (auto call = calls.rbegin(); call != calls.rend(); ++call) WEIR_CHECK(repeat(live, **call));

  if (calls.size() > repeats_before_saved_base) {
    if (live.state == nullptr) {
      live.base = LiveState::Base::initial;
    } else {
      repeat_arena_.reset();
      WEIR_TRY(const auto bytes, instance_.save(live.state, live.key, repeat_arena_));
      live.base = LiveState::Base::saved;
      live.saved_base = bytes;
    }
    live.applied = nullptr;
  }
  return {};
}

Result<void> LiveStates::unapply(LiveState& live, std::int64_t offset) {
  if (live.applied == nullptr || live.applied->offset != offset) return {};
  live.applied = live.applied->previous;
  return rebuild(live);
}

Result<void> LiveStates::repeat(LiveState& live, const AppliedCall& call) {
  if (live.state == nullptr) {
    WEIR_TRY(live.state, instance_.load(live.key, nullptr, instance_.manifest().state_version));
  }
  WEIR_CHECK(call.offset == AppliedCall::timer ? repeat_firing(live, call)
                                               : repeat_record(live, call));
  if (instance_.call().discard) unload(live);
  return {};
}

Result<void> LiveStates::repeat_record(LiveState& live, const AppliedCall& call) {
  repeat_run_.release();
  repeat_arena_.reset();
  const weir_record record = restore_record(call, live.key, repeat_arena_);
  WEIR_CHECK(instance_.prepare({&record, 1}, repeat_arena_, repeat_run_));
  const weir_prepared& prepared = repeat_run_.records().front();
  const bool has_time = (prepared.flags & WEIR_PREPARED_EVENT_TIME) != 0;
  const CallTimes times{has_time ? prepared.event_time_ms : record.timestamp_ms, call.arrival_ms};
  weir_status status = prepared.verdict;
  if (status == WEIR_OK) {
    status = instance_.resolve(prepared.message, live.state, record, live.key, times,
                               /*suppress=*/true);
  }
  repeat_run_.release();  // before the record that its messages may point into
  if (status == WEIR_OK) return {};
  return host::error(Errc::internal,
                     "resolver {} is not deterministic: it took the record at offset {} for key "
                     "\"{}\" and refuses it when it is repeated ({}); make it a function of its "
                     "arguments (`weir plugin check` tests that)",
                     instance_.manifest().name, record.offset, printable(live.key),
                     instance_.call().reason);
}

Result<void> LiveStates::repeat_firing(LiveState& live, const AppliedCall& call) {
  const weir_status status = instance_.notify(
      live.state, live.key, {call.timestamp_ms, call.arrival_ms}, /*suppress=*/true);
  if (status == WEIR_OK) return {};
  return host::error(Errc::internal,
                     "resolver {} is not deterministic: it took the timer of key \"{}\" and "
                     "refuses it when it is repeated ({}); make it a function of its arguments "
                     "(`weir plugin check` tests that)",
                     instance_.manifest().name, printable(live.key), instance_.call().reason);
}

Result<std::vector<LiveStates::Change>> LiveStates::changes(Arena& arena) {
  std::vector<Change> changes;
  changes.reserve(touched_.size());
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    // First its entry, then, when that is here, what the plugin keeps.
    if (i + 2 * prefetch_ahead < touched_.size()) {
      __builtin_prefetch(touched_[i + 2 * prefetch_ahead]);
      __builtin_prefetch(touched_[i + prefetch_ahead]->state);
    }
    LiveState* const live = touched_[i];
    if (!has_changed(*live)) continue;
    if (live->state == nullptr) {
      if (live->stored) changes.push_back({live, std::nullopt, {}});
      continue;
    }
    WEIR_TRY(const auto bytes, instance_.save(live->state, live->key, arena));
    const XXH128_hash_t digest = digest_of(bytes);
    const bool same = live->stored && XXH128_isEqual(digest, live->digest) != 0;
    if (same && !live->outdated) continue;
    changes.push_back({live, bytes, digest});
  }

  std::vector<std::string_view> keys;
  keys.reserve(changes.size());
  for (const Change& change : changes) keys.emplace_back(change.live->key);
  std::vector<Change> sorted;
  sorted.reserve(changes.size());
  for (const std::uint32_t index : order_by_key(keys)) sorted.push_back(changes[index]);
  return sorted;
}

Result<std::optional<std::string>> LiveStates::peek(std::string_view key) {
  const LiveState* live = find(key, hash(key));
  if (live == nullptr || !has_changed(*live)) {
    WEIR_TRY(const auto stored, committed_.get(key));
    if (!stored) return std::optional<std::string>{};
    return std::optional<std::string>(stored->bytes);
  }
  if (live->state == nullptr) return std::optional<std::string>{};
  repeat_arena_.reset();
  WEIR_TRY(const auto bytes, instance_.save(live->state, key, repeat_arena_));
  return std::optional<std::string>(bytes);
}

void LiveStates::committed(std::span<const Change> changes) {
  for (const Change& change : changes) {
    change.live->stored = change.bytes.has_value();
    change.live->digest = change.digest;
    charge(*change.live, change.bytes ? change.bytes->size() : 0);
  }
  ++commit_;
  for (LiveState* live : touched_) {
    // It may never be asked for again, and must not take the place of one that is.
    const bool only_migrated = live->outdated && live->applied == nullptr;
    live->outdated = false;
    live->applied = nullptr;
    if (live->base != LiveState::Base::stored) {
      live->base = LiveState::Base::stored;
      live->saved_base.clear();
    }
    live->touched = false;
    live->last_commit = commit_;
    if (live->state == nullptr || only_migrated) forget(*live);
  }
  touched_.clear();
  if (over_limit()) evict();
}

// A list in the order of last use would cost every touch two more cache misses. This looks at all
// States instead, but makes room for an eighth of the limit at once, and so costs each State that
// goes a look at eight.
void LiveStates::evict() {
  const Limits target{limits_.count - limits_.count / 8, limits_.bytes - limits_.bytes / 8};
  // Beside each the commit it was used in: comparing must not visit States all over the memory.
  std::vector<std::pair<std::uint32_t, LiveState*>> heap;
  heap.reserve(states_.size());
  for (const auto& entry : states_)
    heap.emplace_back(entry.second->last_commit, entry.second.get());
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty() && (states_.size() > target.count || estimated_bytes_ > target.bytes)) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    forget(*heap.back().second);
    heap.pop_back();
  }
}

void LiveStates::unload(LiveState& live) {
  if (live.state != nullptr) instance_.free(live.state);
  live.state = nullptr;
}

void LiveStates::charge(LiveState& live, std::uint64_t serialized_bytes) {
  estimated_bytes_ -= live.charged;
  live.charged = serialized_bytes * bytes_factor + bytes_overhead + live.key.size();
  estimated_bytes_ += live.charged;
}

void LiveStates::forget(LiveState& live) {
  unload(live);
  estimated_bytes_ -= live.charged;
  const std::size_t key_hash = hash(live.key);
  if (!hints_.empty() && hint(key_hash) == &live) hint(key_hash) = nullptr;
  states_.erase(std::string_view(live.key), key_hash);
}

}  // namespace weir::host
