#include "task/parked_orders.hpp"

#include <algorithm>
#include <map>

namespace weir::host {

namespace {

/// What the first `count` records take.
Result<std::uint64_t> bytes_of(TaskStore& store, const StoredParkedKey& key, std::uint64_t count) {
  std::uint64_t bytes = 0;
  std::uint64_t sequence = key.key.first();
  for (const std::uint64_t end = sequence + count; sequence < end;) {
    const ParkedLimit limit{.records = std::min<std::uint64_t>(end - sequence, 256)};
    WEIR_TRY(const auto records, store.parked_records(key, sequence, limit));
    for (const v1::ParkedRecord& record : records) bytes += record.ByteSizeLong();
    sequence += records.size();
  }
  return bytes;
}

}  // namespace

Result<std::vector<ParkedOutcome>> carry_out(TaskStore& store,
                                             std::span<const ParkedOrder> orders) {
  WEIR_TRY(auto stored, store.parked_keys());
  std::map<std::uint64_t, StoredParkedKey*> keys;
  for (StoredParkedKey& one : stored) keys.emplace(one.number, &one);
  std::vector<ParkedOutcome> outcomes;
  std::vector<ParkedChange> changes;
  for (const ParkedOrder& order : orders) {
    const auto found = keys.find(order.number);
    if (found == keys.end() || found->second->key.since_ms() != order.since_ms) {
      outcomes.push_back(ParkedOutcome::gone);
      continue;
    }
    StoredParkedKey& one = *found->second;
    const std::uint64_t waiting = one.key.next() - one.key.first();
    if (order.drop > 0 && (one.key.first() != order.first || order.drop > waiting)) {
      outcomes.push_back(ParkedOutcome::moved);
      continue;
    }
    keys.erase(found);  // named once
    outcomes.push_back(ParkedOutcome::done);
    if (order.drop == waiting) {
      changes.push_back({.number = order.number});
      continue;
    }
    WEIR_TRY(const std::uint64_t bytes, bytes_of(store, one, order.drop));
    one.key.set_bytes(one.key.bytes() - bytes);
    one.key.set_first(one.key.first() + order.drop);
    one.key.set_due_ms(0);
    one.key.set_attempts(0);
    changes.push_back({order.number, &one.key, one.key.next(), {}});
  }
  if (!changes.empty()) WEIR_CHECK(store.change_parked(changes));
  return outcomes;
}

}  // namespace weir::host
