// Records that wait: a key whose first record cannot be handled yet keeps those behind it in order,
// while other keys go on.
#include <algorithm>
#include <vector>

#include "base/bytes.hpp"
#include "base/counted.hpp"
#include "base/limits.hpp"
#include "task/parked_view.hpp"
#include "task/task.hpp"

namespace weir::host {

namespace {

/// Records of one key that are decoded together.
constexpr std::size_t parked_batch_records_max = 256;

/// What may be resolved in one turn. Twice a fetch, so that a key catches up with what goes behind
/// its records meanwhile.
constexpr ParkedLimit parked_per_turn{2 * batch_records_max, 2 * batch_bytes_max};

v1::ParkedRecord to_parked(const Record& record, std::int64_t arrival_ms,
                           std::string_view retry_of) {
  v1::ParkedRecord out;
  if (record.key) out.set_key(std::string(*record.key));
  if (record.value) out.set_value(std::string(*record.value));
  for (const Header& header : record.headers) {
    v1::ParkedRecord::Header& to = *out.add_headers();
    to.set_name(std::string(header.name));
    if (header.value) to.set_value(std::string(*header.value));
  }
  out.set_offset(record.offset);
  out.set_timestamp_ms(record.timestamp_ms);
  out.set_arrival_ms(arrival_ms);
  out.set_retry_of(std::string(retry_of));
  return out;
}

}  // namespace

Result<void> Task::open_parking() {
  WEIR_TRY(const Parking::Count others, read_parking());
  if (others.keys > 0) {
    ports_.logger.info("task",
                       "task {}: {} of {} wait for resolvers that the app no longer has; they stay "
                       "until they are dropped",
                       options_.name, counted(others.records, "record"),
                       counted(others.keys, "key"));
  }
  return {};
}

Result<Parking::Count> Task::read_parking() {
  std::vector<Parking::Resolver> resolvers;
  for (const TaskResolver& resolver : options_.resolvers) {
    resolvers.push_back({resolver.name, resolver.retry_wait_max_ms});
  }
  parking_ = std::make_unique<Parking>(*store_, options_.parking);
  WEIR_TRY(const Parking::Count others, parking_->open(resolvers, now()));
  Result<void> held;
  parking_->each([&](const Parking::Key& key) {
    Stage& stage = stages_[key.resolver];
    if (held && stage.timers != nullptr && key.row.has_key()) {
      held = stage.timers->hold(key.row.key());
    }
  });
  if (!held) return std::move(held).error();
  find_next_timer();
  try_crashed_again();
  return others;
}

Parking::Key* Task::waiting(const Stage& stage, MaybeBytes key) const {
  if (!key) return nullptr;
  const auto resolver = static_cast<std::size_t>(&stage - stages_.data());
  Parking::Key* const found = parking_->find(resolver, *key, LiveStates::hash(*key));
  return recalled_ != nullptr && found == recalled_->waited ? nullptr : found;
}

Result<Task::Flow> Task::try_again_later(Stage& stage, const Record& record, MaybeBytes key,
                                         std::int64_t after_ms, std::string_view reason) {
  Parking::Key* const waited = recalled_ == nullptr ? nullptr : recalled_->waited;
  const TaskResolver& resolver = *stage.resolver;
  const std::uint32_t attempts = (waited == nullptr ? 0 : waited->row.attempts()) + 1;
  if (attempts >= resolver.retry_attempts_max) {
    return set_aside(SetAside::rejected, record, stage,
                     fmt::format("gave up after {} tries: {}", attempts, reason));
  }
  ++stage.retries;
  const std::int64_t wait_max_ms = std::max<std::int64_t>(1, resolver.retry_wait_max_ms);
  const Parking::Wait wait{.for_ms = std::clamp<std::int64_t>(after_ms, 1, wait_max_ms),
                           .attempts = attempts,
                           .reason = reason,
                           .offset = record.offset};
  return wait_with_key(stage, record, key, wait);
}

Result<Task::Flow> Task::wait_with_key(Stage& stage, const Record& record, MaybeBytes key,
                                       const Parking::Wait& wait) {
  Parking::Key* const waited = recalled_ == nullptr ? nullptr : recalled_->waited;
  // Another build of the plugin may give it another key than the one it has waited with.
  if (waited == nullptr || waited->key() != key) return park(stage, record, key, nullptr, wait);
  parking_->wait(*waited, wait, now());
  return Flow::wait;
}

Result<Task::Flow> Task::park(Stage& stage, const Record& record, MaybeBytes key,
                              Parking::Key* behind, const Parking::Wait& wait) {
  const v1::ParkedRecord stored =
      recalled_ == nullptr ? to_parked(record, arrival_ms_, {})
                           : to_parked(record, recalled_->arrival_ms, recalled_->retry_of);
  if (const std::string why = parking_->no_room(behind, stored); !why.empty()) {
    return set_aside(SetAside::rejected, record, stage,
                     behind == nullptr
                         ? fmt::format("{}; it cannot wait: {}", wait.reason, why)
                         : fmt::format("its key waits, and it cannot wait behind: {}", why));
  }
  if (behind != nullptr) {
    parking_->append(*behind, stored);
  } else {
    const auto resolver = static_cast<std::size_t>(&stage - stages_.data());
    behind = &parking_->add(resolver, key, ports_.clock.wall_ms());
    parking_->append(*behind, stored);
    parking_->wait(*behind, wait, now());
    if (stage.timers != nullptr && key) {
      WEIR_CHECK(stage.timers->hold(*key));
      find_next_timer();
    }
  }
  stage.parked = behind;
  return Flow::go_on;
}

Result<void> Task::end_wait(Stage& stage, const std::string& key) {
  if (stage.timers == nullptr || key.empty()) return {};
  WEIR_CHECK(stage.timers->release(key));
  find_next_timer();
  return {};
}

Result<void> Task::take_back_parked(Stage& stage) {
  const std::string key = stage.parked->row.key();
  const bool is_gone = parking_->take_back(*stage.parked);
  stage.parked = nullptr;
  return is_gone ? end_wait(stage, key) : Result<void>{};
}

Result<bool> Task::resolve_parked(std::int64_t now_ms) {
  if (open_records_ == 0) open_since_ms_ = now_ms;
  Flow flow = Flow::go_on;
  ParkedLimit left = parked_per_turn;
  while (left.records > 0 && left.bytes > 0 && flow != Flow::halt &&
         outbox_.bytes() <= options_.commit_bytes) {
    Parking::Key* const key = parking_->due(now_ms);
    if (key == nullptr) break;
    WEIR_TRY(flow, resolve_parked(*key, left));
  }
  if (flow == Flow::halt) return halt_after_commit();
  step("parked");
  return true;
}

Result<Task::Flow> Task::resolve_parked(Parking::Key& key, ParkedLimit& left) {
  Stage& stage = stages_[key.resolver];
  // What was crashed on is looked at alone.
  const std::size_t batch = options_.suspects.empty() ? parked_batch_records_max : 1;
  const ParkedLimit limit{std::min(left.records, batch), left.bytes};
  WEIR_TRY(const auto stored, parking_->front(key, limit));
  const ParkedView view(stored);
  batch_arena_.reset();
  for (std::size_t i = 0; i < decoders_.size(); ++i) {
    const bool wanted = i == stage.decoded;
    decoders_[i].decoder->decode(wanted ? std::span(view.records) : std::span<const Record>(),
                                 batch_arena_, decoded_[i]);
  }
  for (Stage& other : stages_) other.next = 0;
  WEIR_CHECK(prepare(stage));

  Flow flow = Flow::go_on;
  for (std::size_t i = 0; i < stored.size() && flow == Flow::go_on; ++i) {
    const std::size_t bytes = stored[i].ByteSizeLong();
    --left.records;
    left.bytes -= std::min(left.bytes, bytes);
    WEIR_TRY(flow, resolve_parked(key, stored[i], view.records, static_cast<std::uint32_t>(i)));
    if (flow == Flow::halt) break;
    ++open_records_;
    if (flow == Flow::wait) break;
    const std::string name = key.record_count() > 1 ? std::string() : key.row.key();
    if (parking_->remove_first(key, bytes)) {
      WEIR_CHECK(end_wait(stage, name));
      // No record may come that would do it; but not before one has come since.
      const bool came_since = last_record_ && last_record_->offset() > stored[i].offset();
      if (options_.source.arrival_is_record_time && came_since) {
        WEIR_TRY(flow, fire_waited(stage, name, arrival_ms_));
      }
      break;
    }
    if (outbox_.bytes() > options_.commit_bytes) break;
  }
  stage.run.release();
  return flow;
}

Result<Task::Flow> Task::resolve_parked(Parking::Key& key, const v1::ParkedRecord& stored,
                                        std::span<const Record> records, std::uint32_t index) {
  Stage& stage = stages_[key.resolver];
  // Its timer keeps its place between the key's records.
  WEIR_TRY(const Flow flow, fire_waited(stage, key.row.key(), stored.arrival_ms()));
  if (flow != Flow::go_on) return flow;
  const Recalled recalled{.to = &stage,
                          .undecoded = false,
                          .retry_of = stored.retry_of(),
                          .arrival_ms = stored.arrival_ms(),
                          .waited = &key};
  recalled_ = &recalled;
  auto resolved = resolve_record(records, index);
  recalled_ = nullptr;
  return resolved;
}

Result<Task::Flow> Task::fire_waited(Stage& stage, const std::string& key, std::int64_t clock_ms) {
  if (stage.timers == nullptr || key.empty()) return Flow::go_on;
  WEIR_TRY(const auto timer, stage.timers->get(key));
  if (!timer || timer->at_ms > clock_ms) return Flow::go_on;
  WEIR_TRY(const Flow flow, fire(stage, {key, *timer}, clock_ms));
  if (flow == Flow::go_on) ++open_records_;
  find_next_timer();
  return flow;
}

}  // namespace weir::host
