#include "task/parking.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/counted.hpp"
#include "lmdb/environment.hpp"

namespace weir::host {

Result<Parking::Count> Parking::open(std::span<const Resolver> resolvers, Now now) {
  for (const Resolver& resolver : resolvers) names_.emplace_back(resolver.name);
  by_key_.resize(resolvers.size());
  counts_.resize(resolvers.size());
  Count others;
  WEIR_TRY(auto stored, store_.parked_keys());
  for (StoredParkedKey& one : stored) {
    next_number_ = one.number + 1;
    const std::uint64_t records = one.key.next() - one.key.first();
    const auto resolver = std::ranges::find(resolvers, one.key.resolver(), &Resolver::name);
    if (resolver == resolvers.end()) {
      ++others.keys;
      others.records += records;
      continue;
    }
    auto key = std::make_unique<Key>();
    key->resolver = static_cast<std::size_t>(resolver - resolvers.begin());
    key->number = one.number;
    key->row = std::move(one.key);
    key->stored_next = key->row.next();
    counts_[key->resolver].records += records;
    bytes_ += key->row.bytes();
    Key& added = insert(std::move(key));
    if (added.row.has_due_ms()) {
      const std::int64_t wait_ms =
          std::clamp<std::int64_t>(added.row.due_ms() - now.wall_ms, 0, resolver->wait_max_ms);
      set_due(added, now.steady_ms + wait_ms);
    }
  }
  return others;
}

Parking::Key* Parking::find(std::size_t resolver, std::string_view key,
                            std::size_t key_hash) const {
  const ByKey& keys = by_key_[resolver];
  const auto found = keys.find(key, key_hash);
  return found == keys.end() ? nullptr : found->second;
}

std::string Parking::no_room(const Key* key, const v1::ParkedRecord& record) const {
  const std::uint64_t bytes = record.ByteSizeLong();
  if (key == nullptr && keys_.size() >= limits_.keys) {
    return fmt::format("{} wait already (parking.keys)", counted(keys_.size(), "key"));
  }
  if (key != nullptr && key->record_count() >= limits_.records_per_key) {
    return fmt::format("{} of its key wait already (parking.records_per_key)",
                       counted(key->record_count(), "record"));
  }
  const std::uint64_t of_key = (key == nullptr ? 0 : key->row.bytes()) + bytes;
  if (of_key > limits_.bytes_per_key) {
    return fmt::format("the records of its key would take {} (parking.bytes_per_key is {})",
                       readable_bytes(of_key), readable_bytes(limits_.bytes_per_key));
  }
  if (bytes_ + bytes > limits_.bytes) {
    return fmt::format("the records that wait would take {} (parking.bytes is {})",
                       readable_bytes(bytes_ + bytes), readable_bytes(limits_.bytes));
  }
  return {};
}

Parking::Key& Parking::insert(std::unique_ptr<Key> key) {
  Key& one = *key;
  keys_.emplace(one.number, std::move(key));
  if (one.row.has_key()) by_key_[one.resolver].emplace(std::string_view(one.row.key()), &one);
  ++counts_[one.resolver].keys;
  return one;
}

Parking::Key& Parking::add(std::size_t resolver, MaybeBytes key, std::int64_t wall_ms) {
  auto one = std::make_unique<Key>();
  one->resolver = resolver;
  one->number = next_number_++;
  one->row.set_resolver(names_[resolver]);
  if (key) one->row.set_key(std::string(*key));
  one->row.set_since_ms(wall_ms);
  return insert(std::move(one));
}

void Parking::append(Key& key, const v1::ParkedRecord& record) {
  key.records.push_back(record.SerializeAsString());
  const std::uint64_t bytes = key.records.back().size();
  key.row.set_next(key.row.next() + 1);
  key.row.set_bytes(key.row.bytes() + bytes);
  ++counts_[key.resolver].records;
  bytes_ += bytes;
  open_bytes_ += bytes;
  change(key);
}

void Parking::wait(Key& key, const Wait& wait, Now now) {
  key.row.set_attempts(wait.attempts);
  key.row.set_reason(std::string(wait.reason));
  key.row.set_offset(wait.offset);
  if (wait.for_ms) {
    key.row.set_due_ms(now.wall_ms + *wait.for_ms);
    set_due(key, now.steady_ms + *wait.for_ms);
  } else {
    key.row.clear_due_ms();
    set_due(key, std::nullopt);
  }
  change(key);
}

Parking::Key* Parking::due(std::int64_t steady_ms) const {
  if (next_due_ms() > steady_ms) return nullptr;
  return keys_.at(due_.begin()->second).get();
}

Result<std::vector<v1::ParkedRecord>> Parking::front(const Key& key, ParkedLimit limit) {
  if (key.row.first() < key.stored_next) {
    StoredParkedKey stored{key.number, key.row};
    stored.key.set_next(key.stored_next);
    return store_.parked_records(stored, key.row.first(), limit);
  }
  std::vector<v1::ParkedRecord> out;
  std::size_t bytes = 0;
  for (std::uint64_t sequence = key.row.first();
       sequence < key.row.next() && out.size() < limit.records && bytes < limit.bytes; ++sequence) {
    const std::string& record = key.records[sequence - key.stored_next];
    const bool parsed = out.emplace_back().ParseFromString(record);
    WEIR_ASSERT(parsed, "it was serialized here");
    bytes += record.size();
  }
  return out;
}

bool Parking::remove_first(Key& key, std::uint64_t record_bytes) {
  const std::uint64_t sequence = key.row.first();
  if (sequence >= key.stored_next) {
    std::string& record = key.records[sequence - key.stored_next];
    open_bytes_ -= record.size();
    std::string().swap(record);
  }
  key.row.set_first(sequence + 1);
  key.row.set_attempts(0);
  return removed(key, record_bytes);
}

bool Parking::take_back(Key& key) {
  WEIR_ASSERT(key.row.next() > key.stored_next, "its last record is of the open commit");
  const std::uint64_t bytes = key.records.back().size();
  open_bytes_ -= bytes;
  key.records.pop_back();
  key.row.set_next(key.row.next() - 1);
  return removed(key, bytes);
}

bool Parking::removed(Key& key, std::uint64_t record_bytes) {
  key.row.set_bytes(key.row.bytes() - record_bytes);
  bytes_ -= record_bytes;
  --counts_[key.resolver].records;
  change(key);
  if (key.record_count() > 0) return false;
  set_due(key, std::nullopt);
  if (key.row.has_key()) by_key_[key.resolver].erase(std::string_view(key.row.key()));
  --counts_[key.resolver].keys;
  if (key.stored_next > 0) gone_.push_back(key.number);
  keys_.erase(key.number);
  return true;
}

void Parking::set_due(Key& key, std::optional<std::int64_t> due_ms) {
  if (key.due_ms) due_.erase({*key.due_ms, key.number});
  key.due_ms = due_ms;
  if (due_ms) due_.emplace(*due_ms, key.number);
}

void Parking::change(Key& key) {
  if (key.changed) return;
  key.changed = true;
  changed_.push_back(key.number);
}

std::vector<ParkedChange> Parking::changes() const {
  std::vector<ParkedChange> out;
  out.reserve(changed_.size() + gone_.size());
  for (const std::uint64_t number : changed_) {
    const auto found = keys_.find(number);
    if (found == keys_.end()) continue;
    const Key& key = *found->second;
    const std::uint64_t from = std::max(key.row.first(), key.stored_next);
    const std::span<const std::string> records(key.records);
    out.push_back({number, &key.row, from, records.subspan(from - key.stored_next)});
  }
  for (const std::uint64_t number : gone_) out.push_back({.number = number});
  return out;
}

void Parking::committed() {
  for (const std::uint64_t number : changed_) {
    const auto found = keys_.find(number);
    if (found == keys_.end()) continue;
    Key& key = *found->second;
    key.changed = false;
    key.stored_next = key.row.next();
    key.records.clear();
    key.records.shrink_to_fit();
  }
  changed_.clear();
  gone_.clear();
  open_bytes_ = 0;
}

}  // namespace weir::host
