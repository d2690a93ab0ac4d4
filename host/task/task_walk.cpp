// How a task migrates States that no record has touched yet: a portion a turn, through its commits.
#include <algorithm>

#include "base/bytes.hpp"
#include "task/task.hpp"

namespace weir::host {

namespace {
/// What one turn looks at, and what it migrates of that.
constexpr std::size_t visited_per_turn = 2048;
constexpr std::size_t migrated_per_turn = 128;
constexpr std::size_t bytes_per_turn = std::size_t{1} << 20;
}  // namespace

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
  WEIR_TRY(const OlderStates page,
           store_->older_states(stage.id, walk.from_, stage.instance->manifest().state_version,
                                {visited_per_turn, migrated_per_turn, bytes_per_turn}));
  std::vector<std::string> failures;
  stage.instance->note_no_record();
  for (const std::string& key : page.keys) {
    if (auto live = stage.live->touch(key, LiveStates::hash(key)); !live) {
      failures.push_back(fmt::format("task {}, resolver {}, key \"{}\": {}", options_.name,
                                     stage.resolver->name, printable(key), live.error().message));
    }
  }
  const std::uint64_t migrated = page.keys.size() - failures.size();
  if (migrated > 0) {
    if (open_records_ == 0) open_since_ms_ = now_ms;
    open_records_ += migrated;
    walk.migrated_until_ = commits_ + 1;
  }
  walk.from_ = page.next;
  if (page.next.empty()) ++walk.stage_;
  const std::lock_guard lock(walk.mutex_);
  StateWalk::Progress& progress = walk.progress_;
  progress.visited += page.visited;
  progress.migrated += migrated;
  progress.failed += failures.size();
  for (std::string& failure : failures) {
    if (progress.failures.size() == StateWalk::failures_max) break;
    progress.failures.push_back(std::move(failure));
  }
  return true;
}

}  // namespace weir::host
