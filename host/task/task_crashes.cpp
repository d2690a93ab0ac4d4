// What earlier processes have crashed on: it is looked at alone, or not at all.
#include <algorithm>

#include "base/limits.hpp"
#include "task/task.hpp"

namespace weir::host {

/// A suspect is alone in its fetch, so that a crash in prepare() names it, and so that what was
/// crashed on twice can be kept from the plugin.
FetchLimit Task::fetch_limit() const {
  FetchLimit limits{batch_records_max, batch_bytes_max};
  const auto keep_alone = [&](std::int64_t first, std::int64_t last) {
    if (last < next_offset_) return;
    const std::int64_t before = std::max<std::int64_t>(first - next_offset_, 1);
    limits.records = std::min(limits.records, static_cast<std::size_t>(before));
  };
  for (const Suspects::Range& range : options_.suspects.careful) {
    keep_alone(range.first, range.last);
  }
  for (const Suspects::Crashed& crashed : options_.suspects.crashed) {
    if (!crashed.timer) keep_alone(crashed.at, crashed.at);
  }
  return limits;
}

const Suspects::Crashed* Task::crashed_on(const Stage& stage, std::int64_t offset) const {
  for (const Suspects::Crashed& crashed : options_.suspects.crashed) {
    if (!crashed.timer && crashed.at == offset && crashed.resolver == stage.resolver->name &&
        crashed.sha256 == stage.instance->plugin().file().sha256) {
      return &crashed;
    }
  }
  return nullptr;
}

const Suspects::Crashed* Task::crashed_on(const Stage& stage, const KeyTimer& due) const {
  for (const Suspects::Crashed& crashed : options_.suspects.crashed) {
    if (crashed.timer && crashed.at == due.timer.at_ms && crashed.key == due.key &&
        crashed.resolver == stage.resolver->name &&
        crashed.sha256 == stage.instance->plugin().file().sha256) {
      return &crashed;
    }
  }
  return nullptr;
}

bool Task::waits(const Suspects::Crashed& crashed) const {
  return options_.source.crashed_waits && !crashed.in_prepare;
}

Result<Task::Flow> Task::wait_after_crash(Stage& stage, const Record& record, MaybeBytes key,
                                          const Suspects::Crashed& crashed) {
  Parking::Key* const waited = recalled_ == nullptr ? nullptr : recalled_->waited;
  return wait_with_key(stage, record, key,
                       {.for_ms = {},
                        .attempts = waited == nullptr ? 0 : waited->row.attempts(),
                        .reason = crashed.reason,
                        .offset = record.offset});
}

/// Another build, or a report that was forgotten, ends the wait of keys that no time ends; or, by
/// now, they wait for another reason.
void Task::try_crashed_again() {
  parking_->each([this](Parking::Key& key) {
    if (key.due_ms) return;
    const auto* const crashed = crashed_on(stages_[key.resolver], key.row.offset());
    const std::string reason = crashed == nullptr ? key.row.reason() : crashed->reason;
    if (crashed != nullptr && reason == key.row.reason()) return;
    parking_->wait(key,
                   {.for_ms = crashed == nullptr ? std::optional<std::int64_t>(0) : std::nullopt,
                    .attempts = key.row.attempts(),
                    .reason = reason,
                    .offset = key.row.offset()},
                   now());
    ++open_records_;  // `weir parked list` reads what is committed
  });
}

void Task::halt_if_stuck() {
  for (const Suspects::Stuck& stuck : options_.suspects.stuck) {
    const auto stage = std::find_if(stages_.begin(), stages_.end(), [&](const Stage& one) {
      return one.resolver->name == stuck.resolver;
    });
    if (stage == stages_.end() || stage->instance->plugin().file().sha256 != stuck.sha256) continue;
    halt(error(Errc::refused, "{}", stuck.reason));
    return;
  }
}

}  // namespace weir::host
