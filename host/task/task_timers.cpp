// Timers: setting them beside a call, firing them when the task's clock has reached them.
#include <algorithm>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "task/task.hpp"

namespace weir::host {

// The call succeeded: what it said of its key's timer counts.
Result<void> Task::change_timer(Stage& stage, const LiveState& live) {
  const Call& call = stage.instance->call();
  stage.timer_changed = call.discard || call.timer != TimerChange::none;
  if (!stage.timer_changed) return {};
  // Only with other resolvers behind this one can it have to be taken back.
  if (stages_.size() > 1) {
    WEIR_TRY(stage.timer_before, stage.timers->get(live.key));
  }
  std::optional<Timer> timer;
  if (!call.discard && call.timer == TimerChange::set) timer = Timer{call.timer_ms, 0};
  WEIR_CHECK(stage.timers->put(live.key, timer));
  find_next_timer();
  return {};
}

void Task::find_next_timer() {
  next_timer_ms_ = LiveTimers::never_ms;
  for (const Stage& stage : stages_) {
    if (stage.timers != nullptr) {
      next_timer_ms_ = std::min(next_timer_ms_, stage.timers->first_ms());
    }
  }
}

// Each timer that fires is set beyond the clock or gone, so this ends also where a handler always
// sets its timer again.
Result<Task::Flow> Task::fire_timers() {
  if (open_records_ == 0) open_since_ms_ = ports_.clock.steady_ms();
  for (std::size_t i = 0; i < timers_per_turn_max && timers_due(); ++i) {
    const auto stage = std::ranges::find_if(stages_, [&](const Stage& one) {
      return one.timers != nullptr && one.timers->first_ms() == next_timer_ms_;
    });
    WEIR_ASSERT(stage != stages_.end(), "a timer that is due belongs to a resolver");
    WEIR_TRY(const Flow flow, fire(*stage, stage->timers->first(), arrival_ms_));
    if (flow != Flow::go_on) return flow;
    ++open_records_;
    find_next_timer();
    if (outbox_.bytes() > options_.commit_bytes) break;
  }
  step("timers");
  return Flow::go_on;
}

Result<Task::Flow> Task::fire(Stage& stage, const KeyTimer& due, std::int64_t clock_ms) {
  if (const auto* crashed = crashed_on(stage, due); crashed != nullptr) [[unlikely]] {
    const Flow flow = set_aside(SetAside::crashed, due, stage, crashed->reason, crashed->report);
    if (flow == Flow::go_on) WEIR_CHECK(stage.timers->put(due.key, std::nullopt));
    return flow;
  }
  const CallTimes times{due.timer.at_ms, clock_ms};
  stage.instance->note_no_record();  // until notify(): the State may have to be loaded
  WEIR_TRY(LiveState* const live, stage.live->touch(due.key, LiveStates::hash(due.key)));
  const weir_status status =
      stage.instance->notify(live->state, due.key, times, /*suppress=*/false);
  const Call& call = stage.instance->call();
  if (status != WEIR_OK || call.limit_hit) {
    return fire_failed(stage, *live, due, status, clock_ms);
  }
  stage.live->fired(*live, times, open_arena_);
  std::optional<Timer> again;
  if (!call.discard && call.timer == TimerChange::set) {
    again = Timer{std::max(call.timer_ms, clock_ms + 1), 0};
  }
  WEIR_CHECK(stage.timers->put(due.key, again));
  if (call.discard) stage.live->discard(*live);
  ++stage.outcomes.fired;
  if (!call.features.empty()) WEIR_CHECK(emit(stage, due.key, due.timer.at_ms));
  return Flow::go_on;
}

// Not a trace of a failed call, but that the timer is over.
Result<Task::Flow> Task::fire_failed(Stage& stage, LiveState& live, const KeyTimer& due,
                                     weir_status status, std::int64_t clock_ms) {
  const std::string reason = stage.instance->call().reason;
  const std::int64_t retry_after_ms = stage.instance->call().retry_after_ms;
  WEIR_CHECK(stage.live->rebuild(live));
  const auto reject = [&](std::string_view why) -> Result<Flow> {
    const Flow flow = set_aside(SetAside::rejected, due, stage, why);
    if (flow == Flow::go_on) WEIR_CHECK(stage.timers->put(due.key, std::nullopt));
    return flow;
  };
  switch (status) {
    case WEIR_SKIP:
      ++stage.outcomes.skipped;
      WEIR_CHECK(stage.timers->put(due.key, std::nullopt));
      return Flow::go_on;
    case WEIR_OK:  // it went over a limit and did not notice
    case WEIR_REJECT:
      return reject(reason);
    case WEIR_RETRY: {
      const TaskResolver& resolver = *stage.resolver;
      const std::uint32_t attempts = due.timer.attempts + 1;
      if (attempts >= resolver.retry_attempts_max) {
        return reject(fmt::format("gave up after {} tries: {}", attempts, reason));
      }
      const std::int64_t wait_max_ms = std::max<std::int64_t>(1, resolver.retry_wait_max_ms);
      const std::int64_t wait_ms = std::clamp<std::int64_t>(retry_after_ms, 1, wait_max_ms);
      WEIR_CHECK(stage.timers->put(due.key, Timer{clock_ms + wait_ms, attempts}));
      ++stage.retries;
      return Flow::go_on;
    }
    default:
      pending_halt_ = error(Errc::refused, "resolver {} stopped at the timer of key \"{}\": {}",
                            stage.resolver->name, printable(due.key), reason);
      return Flow::halt;
  }
}

Task::Flow Task::set_aside(SetAside kind, const KeyTimer& due, Stage& stage,
                           std::string_view reason, std::string_view crash) {
  const TaskSource& source = options_.source;
  switch (source.policies[static_cast<std::size_t>(kind)]) {
    case Policy::drop:
      ++stage.outcomes.set_aside[static_cast<std::size_t>(kind)];
      break;
    case Policy::halt:
      pending_halt_ = error(Errc::refused,
                            "the timer of resolver {} for key \"{}\" is {}: {}; fix it, or set "
                            "`{}: dead_letter` on source {}",
                            stage.resolver->name, printable(due.key), name_of(kind), reason,
                            name_of(kind), source.name);
      return Flow::halt;
    case Policy::dead_letter: {
      Record record;
      record.key = due.key;
      record.value = std::string_view("");
      record.timestamp_ms = due.timer.at_ms;
      append_dead_letter(kind, record, stage, reason, /*timer=*/true, crash);
      break;
    }
  }
  return Flow::go_on;
}

Result<std::uint64_t> Task::pending_timers() {
  std::uint64_t count = 0;
  for (const Stage& stage : stages_) {
    if (stage.timers == nullptr) continue;
    WEIR_TRY(const std::uint64_t of_stage, store_->timer_count(stage.id));
    count += of_stage;
  }
  return count;
}

}  // namespace weir::host
