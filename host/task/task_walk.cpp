// How a task migrates States that no record has touched yet: a portion a turn, through its commits.
#include "task/task.hpp"

namespace weir::host {

void Task::request_walk(std::shared_ptr<StateWalk> walk) {
  const std::lock_guard lock(swap_mutex_);
  asked_walk_ = std::move(walk);
  walk_is_asked_.store(true, std::memory_order_relaxed);
}

void Task::begin_walk() {
  const std::lock_guard lock(swap_mutex_);
  walk_is_asked_.store(false, std::memory_order_relaxed);
  walk_ = std::move(asked_walk_);
}

void Task::end_walk(const Error* why) {
  {
    const std::lock_guard lock(walk_->mutex_);
    walk_->progress_.over = true;
    if (why != nullptr) walk_->progress_.gave_up = *why;
  }
  walk_.reset();
}

/// Other builds, or other States: what is behind it may be of an older version again.
void Task::restart_walk() {
  if (walk_ == nullptr) return;
  walk_->stage_ = 0;
  walk_->from_.clear();
}

Result<bool> Task::walk_states(std::int64_t now_ms) {
  StateWalk& walk = *walk_;
  if (walk.stage_ == stages_.size()) {
    const bool durable = walk.migrated_until_ == 0 || commits_ >= walk.migrated_until_;
    if (durable) end_walk(nullptr);
    return durable;
  }
  Stage& stage = stages_[walk.stage_];
  if (stage.live == nullptr || stage.resolver->plugin->manifest().plugin != walk.plugin_) {
    ++walk.stage_;
    return true;
  }
  WEIR_TRY(WalkPortion portion, walk_portion(*store_,
                                             {.task = options_.name,
                                              .resolver = stage.resolver->name,
                                              .id = stage.id,
                                              .instance = *stage.instance,
                                              .live = *stage.live},
                                             walk.from_));
  if (portion.migrated > 0) {
    if (open_records_ == 0) open_since_ms_ = now_ms;
    open_records_ += portion.migrated;
    walk.migrated_until_ = commits_ + 1;
  }
  walk.from_ = portion.next;
  if (portion.next.empty()) ++walk.stage_;
  const std::lock_guard lock(walk.mutex_);
  walk.progress_.add(std::move(portion));
  return true;
}

}  // namespace weir::host
