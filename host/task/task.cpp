// The path of a record: log -> decode -> resolve, then task_commit.cpp.
#include "task/task.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/limits.hpp"

namespace weir::host {

Task::Turn Task::turn() {
  journal_->set_thread();
  if (!retiring_.empty()) free_retired();
  const bool swap_is_asked = swap_is_asked_.load(std::memory_order_relaxed);
  if (walk_is_asked_.load(std::memory_order_relaxed)) {
    if (walk_ != nullptr) end_walk(nullptr);
    begin_walk();
  }
  if (halted_) {
    if (swap_is_asked) refuse_swap();
    if (walk_ != nullptr) end_walk(&*halted_);
    if (parked_is_asked_.load(std::memory_order_relaxed)) refuse_parked_request();
    return Turn::halted;
  }
  const std::int64_t now_ms = ports_.clock.steady_ms();
  // Not only before the next commit, which may never come: what is out counts as out.
  if (publishing_ && ports_.publisher.is_done(*publishing_)) {
    if (auto out = await_publication(); !out) {
      halt(std::move(out).error());
      return Turn::halted;
    }
  }
  if (swap_is_asked) {
    if (auto swapped = swap_if_asked(); !swapped) {
      halt(std::move(swapped).error());
      return Turn::halted;
    }
  }
  if (parked_is_asked_.load(std::memory_order_relaxed)) {
    if (auto changed = change_parked_if_asked(); !changed) {
      halt(std::move(changed).error());
      return Turn::halted;
    }
  }
  auto worked = read(now_ms);
  if (worked && retries_ != nullptr) {
    auto returned = read_retries(now_ms);
    if (returned) {
      *worked |= *returned;
    } else {
      worked = std::move(returned);
    }
  }
  if (worked && parking_->next_due_ms() <= now_ms) worked = resolve_parked(now_ms);
  if (worked && walk_ != nullptr) {
    auto walked = walk_states(now_ms);
    if (walked) {
      *worked |= *walked;
    } else {
      worked = std::move(walked);
    }
  }
  if (!worked) {
    halt(std::move(worked).error());
    return Turn::halted;
  }
  if (commit_due(now_ms)) {
    if (auto committed = commit(); !committed) {
      halt(std::move(committed).error());
      return Turn::halted;
    }
    return Turn::worked;
  }
  return *worked || !retiring_.empty() ? Turn::worked : Turn::idle;
}

Result<bool> Task::read(std::int64_t now_ms) {
  if (!log_is_known_) [[unlikely]] {
    WEIR_TRY(log_is_known_, know_log());
    if (!log_is_known_) return false;
  }
  WEIR_TRY(const auto records, reader_->fetch(fetch_limit()));
  // May have moved over a gap.
  if (records.empty()) next_offset_ = std::max(next_offset_, reader_->position());
  bool fired = false;
  const bool any_timer = next_timer_ms_ != LiveTimers::never_ms;
  if (!options_.source.arrival_is_record_time && (!records.empty() || any_timer)) {
    move_clock(ports_.clock.wall_ms());
    if (timers_due()) {
      WEIR_TRY(const Flow flow, fire_timers());
      if (flow == Flow::halt) return halt_after_commit();
      fired = true;
    }
  }
  if (records.empty()) return fired;
  if (open_records_ == 0) open_since_ms_ = now_ms;
  step("fetch");
  WEIR_CHECK(decode(records));
  step("decode");
  const std::int64_t begun_us = ports_.clock.steady_us();
  WEIR_CHECK(prepare());
  step("prepare");
  WEIR_CHECK(resolve(records));
  step("resolve");
  call_us_ += static_cast<std::uint64_t>(ports_.clock.steady_us() - begun_us);
  return true;
}

Result<bool> Task::know_log() {
  WEIR_TRY(const auto records, reader_->fetch({.records = 1}));
  if (records.empty()) return reader_->position() > last_record_->offset();
  WEIR_CHECK(check_record(fit(), *last_record_, records.front()));
  // A later one: it was compacted away.
  if (records.front().offset > last_record_->offset()) WEIR_CHECK(reader_->seek(next_offset_));
  return true;
}

Result<void> Task::decode(std::span<const Record> records) {
  batch_arena_.reset();
  for (std::size_t i = 0; i < decoders_.size(); ++i) {
    decoders_[i].decoder->decode(records, batch_arena_, decoded_[i]);
  }
  return {};
}

Result<void> Task::prepare() {
  for (Stage& stage : stages_) WEIR_CHECK(prepare(stage));
  return {};
}

Result<void> Task::prepare(Stage& stage) {
  stage.next = 0;
  const std::span<const weir_record> records = decoded_[stage.decoded].records;
  if (records.size() == 1) {
    // Alone in its fetch (fetch_limit()), and not for the plugin's eyes again.
    const auto* const crashed = crashed_on(stage, records.front().offset);
    if (crashed != nullptr && !waits(*crashed)) return {};
  }
  WEIR_CHECK(stage.instance->prepare(records, batch_arena_, stage.run));
  if (stage.live != nullptr) find_states(stage, records);
  return {};
}

void Task::find_states(Stage& stage, std::span<const weir_record> records) {
  const std::span<const weir_prepared> prepared = stage.run.records();
  stage.states.resize(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    const bool extracted = (prepared[i].flags & WEIR_PREPARED_KEY) != 0;
    const bool wanted = prepared[i].verdict == WEIR_OK;
    const std::string_view key =
        wanted ? from_abi(extracted ? prepared[i].key : records[i].key) : std::string_view{};
    stage.states[i] = {key, LiveStates::hash(key), nullptr};
  }
  stage.live->find(stage.states);
}

Result<void> Task::resolve(std::span<const Record> records) {
  Flow flow = Flow::go_on;
  const bool clock_is_record_time = options_.source.arrival_is_record_time;
  const Record* handled = nullptr;
  for (std::uint32_t i = 0; i < records.size(); ++i) {
    if (clock_is_record_time) {
      move_clock(records[i].timestamp_ms);
      if (timers_due()) [[unlikely]] {
        WEIR_TRY(flow, fire_timers());
        if (flow != Flow::go_on || timers_due()) {  // the record comes after all that are due
          next_offset_ = records[i].offset;
          break;
        }
      }
    }
    WEIR_TRY(flow, resolve_or_undo(records, i));
    if (flow != Flow::go_on) {
      next_offset_ = records[i].offset;
      break;
    }
    ++records_;
    ++open_records_;
    next_offset_ = records[i].offset + 1;
    handled = &records[i];
    record_timestamp_ms_ = records[i].timestamp_ms;
    if (outbox_.bytes() > options_.commit_bytes) break;
  }
  for (Stage& stage : stages_) stage.run.release();
  if (handled != nullptr) last_record_ = last_record(*handled);

  const bool whole_fetch = next_offset_ == records.back().offset + 1;
  if (whole_fetch) {
    next_offset_ = reader_->position();
  } else {
    WEIR_CHECK(reader_->seek(next_offset_));
  }
  if (flow == Flow::halt) return halt_after_commit();
  return {};
}

Error Task::halt_after_commit() {
  auto committed = finish_commits();  // what came before the record or timer
  return committed ? pending_halt_ : std::move(committed).error();
}

Result<Task::Flow> Task::resolve_or_undo(std::span<const Record> records, std::uint32_t index) {
  // Only a resolver before the one that stops can have left something to take back.
  if (stages_.size() == 1) return resolve_record(records, index);
  const OutboxWriter::Position sent = outbox_.position();
  for (Stage& stage : stages_) {
    stage.outcomes_before = stage.outcomes;
    stage.parked = nullptr;
  }
  WEIR_TRY(const Flow flow, resolve_record(records, index));
  if (flow != Flow::go_on) {
    WEIR_CHECK(undo_record(records[index]));
    outbox_.truncate(sent);
  }
  return flow;
}

Result<Task::Flow> Task::resolve_record(std::span<const Record> records, std::uint32_t index) {
  const Record& record = records[index];
  for (std::size_t i = 0; i < decoded_.size(); ++i) {
    DecodedRecords& decoded = decoded_[i];
    const bool failed = decoded.next_failure < decoded.failures.size() &&
                        decoded.failures[decoded.next_failure].index == index;
    const bool null =
        decoded.next_null < decoded.nulls.size() && decoded.nulls[decoded.next_null] == index;
    if (!failed && !null) continue;
    const auto taker = std::find_if(stages_.begin(), stages_.end(), [&](const Stage& stage) {
      return stage.decoded == i && is_for(stage);
    });
    if (taker == stages_.end()) continue;
    const Flow flow =
        failed ? set_aside(SetAside::undecodable, record, *taker,
                           decoded.failures[decoded.next_failure++].reason)
               : set_aside(SetAside::null_value, record, *taker, "the record has no value (null)");
    if (null) ++decoded.next_null;
    if (flow != Flow::go_on) return flow;
  }
  for (Stage& stage : stages_) {
    stage.applied = nullptr;
    const DecodedRecords& decoded = decoded_[stage.decoded];
    if (stage.next >= decoded.index.size() || decoded.index[stage.next] != index) continue;
    const std::size_t at = stage.next++;
    if (!is_for(stage)) continue;
    WEIR_TRY(const Flow flow, resolve_one(stage, record, at));
    if (flow != Flow::go_on) return flow;
  }
  return Flow::go_on;
}

Result<Task::Flow> Task::resolve_one(Stage& stage, const Record& record, std::size_t at) {
  const weir_record& decoded = decoded_[stage.decoded].records[at];
  const Suspects::Crashed* const crashed = crashed_on(stage, record.offset);
  if (crashed != nullptr && !waits(*crashed)) [[unlikely]] {
    return set_aside(SetAside::crashed, record, stage, crashed->reason, crashed->report);
  }
  const weir_prepared& prepared = stage.run.records()[at];
  switch (prepared.verdict) {
    case WEIR_OK:
      break;
    case WEIR_SKIP:
      ++stage.outcomes.skipped;
      return Flow::go_on;
    case WEIR_REJECT:
      return set_aside(SetAside::rejected, record, stage, from_abi(prepared.reason));
    case WEIR_FATAL:
      pending_halt_ = error(Errc::refused, "resolver {} stopped at offset {}: {}",
                            stage.resolver->name, record.offset, from_abi(prepared.reason));
      return Flow::halt;
    default:
      return error(Errc::internal, "resolver {} answered verdict {} from prepare()",
                   stage.resolver->name, prepared.verdict);
  }

  const bool has_time = (prepared.flags & WEIR_PREPARED_EVENT_TIME) != 0;
  const std::int64_t event_time_ms = has_time ? prepared.event_time_ms : record.timestamp_ms;
  const TaskSource& source = options_.source;
  if (source.late_arrival_deadline_ms && recalled_ == nullptr) {
    const std::int64_t arrival_ms =
        source.arrival_is_record_time ? record.timestamp_ms : arrival_ms_;
    if (event_time_ms < arrival_ms - *source.late_arrival_deadline_ms) {
      return set_aside(SetAside::late, record, stage,
                       fmt::format("it is {} ms old and the deadline is {} ms",
                                   arrival_ms - event_time_ms, *source.late_arrival_deadline_ms));
    }
  }

  const bool extracted = (prepared.flags & WEIR_PREPARED_KEY) != 0;
  const std::string_view key =
      extracted ? from_abi(prepared.key) : record.key.value_or(std::string_view{});
  if (!stage.instance->stateless()) {
    if (key.empty()) {
      return set_aside(SetAside::key, record, stage,
                       extracted    ? "the extracted key is empty"
                       : record.key ? "the record's key is empty"
                                    : "the record has no key");
    }
    if (key.size() > key_bytes_max) {
      return set_aside(SetAside::key, record, stage,
                       fmt::format("the key has {} B, more than {}", key.size(), key_bytes_max));
    }
    if (extracted && source.partition_count > 1 && source.partitioner && key != record.key) {
      const std::int32_t home = partition_of(*source.partitioner, key, source.partition_count);
      if (home != source.input.partition) {
        return set_aside(
            SetAside::misplaced, record, stage,
            fmt::format("key \"{}\" belongs to partition {}, the record came in partition {}: "
                        "produce with that key, or declare the source's partitioner",
                        printable(key), home, source.input.partition));
      }
    }
  }
  const MaybeBytes wait_key = extracted ? MaybeBytes(key) : record.key;
  if (parking_->key_count() != 0) [[unlikely]] {
    if (Parking::Key* const behind = waiting(stage, wait_key)) {
      return park(stage, record, wait_key, behind, {});
    }
  }
  if (crashed != nullptr) [[unlikely]]
    return wait_after_crash(stage, record, wait_key, *crashed);
  LiveState* live = nullptr;
  if (!stage.instance->stateless()) {
    const LiveStates::Wanted& found = stage.states[at];
    live = found.live;
    if (live == nullptr || !live->ready()) stage.instance->note_record(record.offset);
    if (live == nullptr) {
      WEIR_TRY(live, stage.live->touch(key, found.hash));
    } else if (!live->ready()) {
      WEIR_CHECK(stage.live->touch(*live));
    }
  }

  const std::int64_t arrival_ms = recalled_ == nullptr ? arrival_ms_ : recalled_->arrival_ms;
  const weir_status status =
      stage.instance->resolve(prepared.message, live != nullptr ? live->state : nullptr, decoded,
                              key, {event_time_ms, arrival_ms}, /*suppress=*/false);
  if (status == WEIR_OK && !stage.instance->call().limit_hit) [[likely]] {
    if (live != nullptr) {
      stage.live->applied(*live, decoded, arrival_ms, open_arena_);
      stage.applied = live;
      stage.applied_offset = record.offset;
      if (stage.timers != nullptr) WEIR_CHECK(change_timer(stage, *live));
      if (stage.instance->call().discard) stage.live->discard(*live);
    }
    ++stage.outcomes.resolved;
    if (!stage.instance->call().features.empty()) WEIR_CHECK(emit(stage, key, event_time_ms));
    return Flow::go_on;
  }

  // Not a trace of a failed call.
  const std::string reason = stage.instance->call().reason;
  const std::int64_t retry_after_ms = stage.instance->call().retry_after_ms;
  if (live != nullptr) WEIR_CHECK(stage.live->rebuild(*live));
  switch (status) {
    case WEIR_SKIP:
      ++stage.outcomes.skipped;
      return Flow::go_on;
    case WEIR_OK:  // it went over a limit and did not notice
    case WEIR_REJECT:
      return set_aside(SetAside::rejected, record, stage, reason);
    case WEIR_RETRY:
      return try_again_later(stage, record, wait_key, retry_after_ms, reason);
    default:
      pending_halt_ = error(Errc::refused, "resolver {} stopped at offset {}: {}",
                            stage.resolver->name, record.offset, reason);
      return Flow::halt;
  }
}

Result<void> Task::undo_record(const Record& record) {
  for (Stage& stage : stages_) {
    stage.outcomes = stage.outcomes_before;
    if (stage.parked != nullptr) WEIR_CHECK(take_back_parked(stage));
    if (stage.applied == nullptr || stage.applied_offset != record.offset) continue;
    WEIR_CHECK(stage.live->unapply(*stage.applied, record.offset));
    if (stage.timer_changed) {
      WEIR_CHECK(stage.timers->put(stage.applied->key, stage.timer_before));
      stage.timer_changed = false;
      find_next_timer();
    }
    stage.applied = nullptr;
  }
  return {};
}

Task::Flow Task::set_aside(SetAside kind, const Record& record, Stage& stage,
                           std::string_view reason, std::string_view crash) {
  const auto index = static_cast<std::size_t>(kind);
  const TaskSource& source = options_.source;
  switch (source.policies[index]) {
    case Policy::drop:
      ++stage.outcomes.set_aside[index];
      return Flow::go_on;
    case Policy::halt:
      pending_halt_ =
          error(Errc::refused,
                "record at offset {} of topic {} partition {} is {}: {}; fix it, or set "
                "`{}: dead_letter` on source {}",
                record.offset, source.input.topic, source.input.partition, name_of(kind), reason,
                kind == SetAside::key ? "rejected" : name_of(kind), source.name);
      return Flow::halt;
    case Policy::dead_letter:
      break;
  }

  append_dead_letter(kind, record, stage, reason, /*timer=*/false, crash);
  return Flow::go_on;
}

void Task::append_dead_letter(SetAside kind, const Record& record, Stage& stage,
                              std::string_view reason, bool timer, std::string_view crash) {
  ++stage.outcomes.set_aside[static_cast<std::size_t>(kind)];
  ++stage.outcomes.dead_letters;
  const TaskSource& source = options_.source;
  const std::string partition = std::to_string(source.input.partition);
  const std::string offset = std::to_string(record.offset);
  const std::string timestamp = std::to_string(record.timestamp_ms);
  std::vector<Header> headers(record.headers.begin(), record.headers.end());
  const auto add = [&](std::string_view name, std::string_view value) {
    headers.push_back({name, value});
  };
  add("weir.reason", reason.substr(0, reason_bytes_max));
  add("weir.error", name_of(kind));
  add("weir.source", source.name);
  add("weir.topic", source.input.topic);
  add("weir.partition", partition);
  if (timer) {
    add("weir.timer_ms", timestamp);
  } else {
    add("weir.offset", offset);
  }
  add("weir.timestamp_ms", timestamp);
  add("weir.task", options_.name);
  if (recalled_ != nullptr && !recalled_->retry_of.empty()) {
    add(retry_id_header, recalled_->retry_of);
  }
  if (!crash.empty()) add("weir.crash", crash);
  const Manifest& manifest = stage.resolver->plugin->manifest();
  add("weir.resolver", stage.resolver->name);
  add("weir.plugin", manifest.plugin);
  add("weir.plugin_version", manifest.version);
  outbox_.append({.sink = static_cast<std::uint16_t>(options_.sink_names.size() - 1),
                  .timestamp_ms = record.timestamp_ms,
                  .key = record.key,
                  .value = record.value,
                  .headers = headers});
}

Result<void> Task::emit(Stage& stage, std::string_view key, std::int64_t event_time_ms) {
  for (const EmittedFeature& feature : stage.instance->call().features) {
    const ResolverOutput& output = stage.resolver->outputs[feature.output];
    ++stage.outcomes.features;
    if (!output.sink) continue;
    OutboxEntry entry{.sink = *output.sink,
                      .timestamp_ms = event_time_ms,
                      .key = std::nullopt,
                      .value = feature.bytes,
                      .headers = {}};
    if (feature.has_key) {
      entry.key = feature.key;
    } else if (key.data() != nullptr) {
      entry.key = key;
    }
    if (output.printer) {
      WEIR_TRY(const std::string json, output.printer->print(feature.bytes));
      entry.value = json;
      outbox_.append(entry);
    } else {
      outbox_.append(entry);
    }
  }
  return {};
}

Counters Task::counters() const {
  TaskSnapshot now;
  snapshot(now);
  return now.counters();
}

Result<std::optional<std::string>> Task::state(std::string_view resolver, std::string_view key) {
  for (Stage& stage : stages_) {
    if (stage.resolver->name == resolver && stage.live != nullptr) return stage.live->peek(key);
  }
  return std::optional<std::string>{};
}

}  // namespace weir::host
