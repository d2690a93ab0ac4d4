// How a task changes the builds of its resolvers: between two commits, by changing pointers.
#include "task/task_swap.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/assert.hpp"
#include "task/task.hpp"

namespace weir::host {

namespace {
/// States of the builds before that one turn frees.
constexpr std::size_t freed_per_turn = 256;
}  // namespace

std::string decoder_key(const Plugin& plugin, const std::string& message_type) {
  return message_type.empty() ? std::string() : plugin.file().sha256 + message_type;
}

// ---------------------------------------------------------------------------------------------

TaskSwap::State TaskSwap::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

TaskSwap::State TaskSwap::wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout,
                    [&] { return state_ != State::asked && state_ != State::swapping; });
  return state_;
}

bool TaskSwap::is_freed() const {
  const std::lock_guard lock(mutex_);
  return freed_;
}

// Notifies under the lock: whoever waits may destroy the object right afterwards.
void TaskSwap::set(State state) {
  const std::lock_guard lock(mutex_);
  state_ = state;
  const bool began = state == State::asked || state == State::swapping;
  if (!began && (state != State::swapped || retired_.empty())) freed_ = true;
  changed_.notify_all();
}

void TaskSwap::set_freed() {
  const std::lock_guard lock(mutex_);
  freed_ = true;
}

// ---------------------------------------------------------------------------------------------

Result<Registration> Task::check_builds(std::span<const ResolverSchema> changed,
                                        TaskStore::Ways ways) const {
  std::vector<ResolverSchema> schemas;
  for (const TaskResolver& resolver : options_.resolvers) {
    const auto other = std::ranges::find(changed, resolver.name, &ResolverSchema::name);
    schemas.push_back(other != changed.end() ? *other : schema_of(resolver));
    schemas.back().renamed_from.clear();  // that has happened when the task was opened
  }
  return store_->check_builds(schemas, ways);
}

void Task::request_swap(TaskSwap& swap) {
  const std::lock_guard lock(swap_mutex_);
  WEIR_ASSERT(asked_swap_ == nullptr, "one swap at a time");
  asked_swap_ = &swap;
  swap_is_asked_.store(true, std::memory_order_relaxed);
}

bool Task::withdraw_swap(TaskSwap& swap) {
  const std::lock_guard lock(swap_mutex_);
  if (asked_swap_ != &swap) return false;
  asked_swap_ = nullptr;
  swap.set(TaskSwap::State::withdrawn);
  return true;
}

TaskSwap* Task::begin_swap() {
  const std::lock_guard lock(swap_mutex_);
  swap_is_asked_.store(false, std::memory_order_relaxed);
  TaskSwap* const swap = std::exchange(asked_swap_, nullptr);
  if (swap != nullptr) swap->set(TaskSwap::State::swapping);
  return swap;
}

Result<void> Task::swap_if_asked() {
  // Its commit would have to wait for the one on its way out: go on with records meanwhile.
  if (publishing_ && !ports_.publisher.is_done(*publishing_)) return {};
  TaskSwap* const swap = begin_swap();
  if (swap == nullptr) return {};
  if (auto committed = commit_before(*swap); !committed) {
    swap->failure_ = committed.error();
    swap->set(TaskSwap::State::failed);
    return committed;
  }
  const std::int64_t begun_us = ports_.clock.steady_us();
  exchange(*swap);
  if (!swap->retired_.empty()) retiring_.push_back(swap);
  swap->first_offset_ = next_offset_;
  swap->pause_us_ = ports_.clock.steady_us() - begun_us;
  step("swap");  // before others hear of it, and go on with what comes after the last task's
  swap->set(TaskSwap::State::swapped);
  return {};
}

Result<void> Task::commit_before(TaskSwap& swap) {
  UndoStep& undo = swap.builds_.registration.undo;
  // Begun for builds before these ones: a rollback goes back to before those.
  if (undo == UndoStep::begin && store_->undo_head()) undo = UndoStep::none;
  const bool is_open = next_offset_ != committed_offset_ || open_records_ > 0;
  if (is_open || undo == UndoStep::begin) {
    WEIR_CHECK(commit(undo == UndoStep::begin ? undo : UndoStep::none));
  }
  return undo == UndoStep::roll_back ? roll_back() : Result<void>{};
}

Result<void> Task::roll_back() {
  WEIR_CHECK(await_publication());
  WEIR_CHECK(commit_rollback());
  WEIR_CHECK(reader_->seek(next_offset_));
  if (retries_ != nullptr) WEIR_CHECK(retries_->seek(retries_offset_));
  for (Stage& stage : stages_) {
    stage.run.release();
    if (stage.timers != nullptr) {
      stage.timers = std::make_unique<LiveTimers>(*stage.committed_timers);
      WEIR_CHECK(stage.timers->reload());
    }
    if (stage.live == nullptr) continue;
    stage.live = std::make_unique<LiveStates>(*stage.instance, *stage.committed, options_.live);
  }
  return open_parking();
}

Result<void> Task::commit_rollback() {
  const v1::Head to = *store_->undo_head();
  const v1::Input& input = to.inputs(0);
  ports_.logger.warn("task",
                     "task {}: the builds before cannot read what the newer ones have written; its "
                     "States are again those of offset {}, and its records from there on come "
                     "again: what they emit goes out a second time",
                     options_.name, input.next_offset());
  next_offset_ = input.next_offset();
  last_record_.reset();
  if (input.has_last()) last_record_ = input.last();
  arrival_ms_ = to.arrival_ms();
  retries_offset_ = to.retries_offset();
  // Published, so that the log's mark goes back too.
  WEIR_CHECK(store_->commit({.head = next_head(/*is_published=*/true),
                             .states = {},
                             .outbox = {},
                             .undo = UndoStep::roll_back}));
  outbox_stored_ = false;
  committed_offset_ = next_offset_;
  publish({});
  step("rollback");
  return await_publication();
}

void Task::refuse_swap() {
  TaskSwap* const swap = begin_swap();
  if (swap == nullptr) return;
  swap->failure_ = *halted_;
  swap->set(TaskSwap::State::failed);
}

void Task::exchange(TaskSwap& swap) {
  TaskBuilds& builds = swap.builds_;
  for (ResolverBuild& build : builds.resolvers) {
    Stage& stage = stages_[build.resolver];
    TaskResolver& resolver = options_.resolvers[build.resolver];
    stage.run.release();
    if (stage.live != nullptr) swap.retired_.push_back({stage.instance, std::move(stage.live)});
    std::swap(stage.instance, build.instance);
    std::swap(resolver.plugin, build.plugin);
    std::swap(resolver.outputs, build.outputs);
    if (stage.committed != nullptr) {
      stage.live = std::make_unique<LiveStates>(*stage.instance, *stage.committed, options_.live);
    }
  }
  exchange_decoders(builds.decoders);
  try_crashed_again();
  store_->stage(std::move(builds.registration));
  restart_walk();
}

/// Those that are still needed stay, the others go where the new ones have come from.
void Task::exchange_decoders(std::vector<KeyedDecoder>& others) {
  std::vector<KeyedDecoder> pool = std::move(decoders_);
  std::move(others.begin(), others.end(), std::back_inserter(pool));
  decoders_.clear();
  for (Stage& stage : stages_) {
    const std::string key =
        decoder_key(*stage.resolver->plugin, stage.instance->manifest().message_type);
    const auto known = std::ranges::find(decoders_, key, &KeyedDecoder::key);
    stage.decoded = static_cast<std::size_t>(known - decoders_.begin());
    if (known != decoders_.end()) continue;
    const auto found = std::ranges::find(pool, key, &KeyedDecoder::key);
    WEIR_ASSERT(found != pool.end(), "a swap brings every decoder that its builds need");
    decoders_.push_back(std::move(*found));
    pool.erase(found);
  }
  others = std::move(pool);
  decoded_.clear();
  decoded_.resize(decoders_.size());
}

void Task::free_retired() {
  std::size_t left = freed_per_turn;
  TaskSwap& swap = *retiring_.front();
  for (TaskSwap::Retired& retired : swap.retired_) {
    if (left == 0) return;
    if (retired.live->release(left)) return;
    left /= 2;  // a little at a time, also where many resolvers had few
  }
  retiring_.erase(retiring_.begin());
  swap.set_freed();
}

}  // namespace weir::host
