// The second half of the path: commit and publish.
#include <algorithm>
#include <limits>

#include "publish/commit_id.hpp"
#include "task/task.hpp"

namespace weir::host {
namespace {

/// About what a feature takes from its commit to where others see it.
constexpr std::int64_t publication_ms_max = 20;

}  // namespace

bool Task::commit_due(std::int64_t now_ms) {
  if (next_offset_ == committed_offset_ && open_records_ == 0) return false;
  const bool must = open_records_ >= options_.commit_records ||
                    open_bytes() >= options_.commit_bytes ||
                    std::any_of(stages_.begin(), stages_.end(), [](const Stage& stage) {
                      return stage.live != nullptr && stage.live->over_limit();
                    });
  if (must) return true;
  if (open_records_ == 0) return false;  // only a gap was passed; the next commit tells it
  // A commit would have to wait for the one on its way out: go on with records meanwhile.
  if (publishing_ && !ports_.publisher.is_done(*publishing_)) return false;
  return now_ms >= interval_end_ms();
}

std::int64_t Task::interval_end_ms() const {
  std::int64_t interval_ms = options_.commit_interval_ms;
  const bool has_sinks = options_.sink_names.size() > 1;  // beside the one of dead letters
  if (has_sinks) interval_ms -= std::min(interval_ms / 8, publication_ms_max);
  const TaskSource& source = options_.source;
  const std::int64_t phase_ms = interval_ms * source.input.partition / source.partition_count;
  const std::int64_t latest_ms = open_since_ms_ + interval_ms;
  return latest_ms - (latest_ms - phase_ms) % interval_ms;
}

std::int64_t Task::next_deadline_ms() const {
  std::int64_t deadline = std::numeric_limits<std::int64_t>::max();
  if (open_records_ > 0) deadline = interval_end_ms();
  deadline = std::min(deadline, parking_->next_due_ms());
  // With the records' own clock only a record can make a timer due.
  if (next_timer_ms_ != LiveTimers::never_ms && !options_.source.arrival_is_record_time) {
    const std::int64_t now_ms = std::max(arrival_ms_, ports_.clock.wall_ms());
    const std::int64_t wait_ms =
        next_timer_ms_ <= now_ms ? 0 : std::min(next_timer_ms_ - now_ms, clock_ms_max);
    deadline = std::min(deadline, ports_.clock.steady_ms() + wait_ms);
  }
  return deadline;
}

Result<void> Task::commit(UndoStep undo) {
  WEIR_CHECK(await_publication());
  const std::int64_t begun_us = ports_.clock.steady_us();
  journal_->set_thread();
  journal_->set_record(0, 0);

  std::vector<StateChange> states;
  std::vector<std::vector<LiveStates::Change>> changes(stages_.size());
  std::vector<std::size_t> order(stages_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return stages_[a].id < stages_[b].id; });
  save_arena_.reset();
  for (const std::size_t i : order) {
    Stage& stage = stages_[i];
    if (stage.live == nullptr) continue;
    WEIR_TRY(changes[i], stage.live->changes(save_arena_));
    for (const LiveStates::Change& change : changes[i]) {
      states.push_back({stage.id, change.live->key, change.bytes});
    }
  }
  std::vector<StoredTimerChange> timers;
  for (const std::size_t i : order) {
    if (stages_[i].timers == nullptr) continue;
    for (const LiveTimers::Change& change : stages_[i].timers->changes()) {
      timers.push_back({stages_[i].id, change.key, change.timer});
    }
  }
  step("save");

  const std::vector<std::string_view> chunks = outbox_.chunks();
  const v1::Head head = next_head(!outbox_.empty());
  const std::vector<ParkedChange> parked = parking_->changes();
  if (undo == UndoStep::none && forget_undo_.exchange(false, std::memory_order_relaxed) &&
      store_->undo_head()) {
    undo = UndoStep::forget;
  }
  WEIR_CHECK(store_->commit({.head = head,
                             .states = states,
                             .outbox = chunks,
                             .timers = timers,
                             .parked = parked,
                             .undo = undo}));
  outbox_stored_ = !chunks.empty();
  step("commit");
  commit_times_.add(ports_.clock.steady_us() - begun_us);
  commit_wall_ms_ = ports_.clock.wall_ms();

  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (stages_[i].live != nullptr) stages_[i].live->committed(changes[i]);
    if (stages_[i].timers != nullptr) WEIR_CHECK(stages_[i].timers->reload());
  }
  parking_->committed();
  ++commits_;
  journal_->commits.store(commits_, std::memory_order_relaxed);
  open_arena_.reset();
  open_records_ = 0;
  committed_offset_ = next_offset_;
  if (!chunks.empty()) {
    std::swap(outbox_, publishing_outbox_);
    publish(publishing_outbox_.chunks());
    step("submit");
  }
  return {};
}

void Task::publish(std::vector<std::string_view> chunks, bool is_again) {
  const v1::Head& head = *store_->head();
  publishing_.emplace();
  publishing_->task = options_.name;
  publishing_->sinks = &options_.sinks;
  publishing_->inputs = {options_.source.input};
  publishing_->next_offsets = {head.inputs(0).next_offset()};
  publishing_->id = head.commit();
  if (head.has_published_before()) publishing_->before = head.published_before();
  publishing_->chunks = std::move(chunks);
  publishing_->is_again = is_again;
  publishing_->submitted_us = ports_.clock.steady_us();
  ports_.publisher.submit(*publishing_);
}

v1::Head Task::next_head(bool is_published) {
  v1::Head head;
  const std::optional<v1::Head>& last = store_->head();
  const v1::CommitId id = next_commit_id(store_->lineage(), last);
  *head.mutable_commit() = id;
  // The first commit is published too, with nothing but its mark: from then on a log without a mark
  // is one that has lost it.
  if (!last || is_published) {
    *head.mutable_published() = id;
    if (last) *head.mutable_published_before() = last->published();
  } else {
    *head.mutable_published() = last->published();
    if (last->has_published_before()) *head.mutable_published_before() = last->published_before();
  }
  head.set_arrival_ms(arrival_ms_);
  head.set_retries_offset(retries_offset_);
  v1::Input& input = *head.add_inputs();
  input.set_topic(options_.source.input.topic);
  input.set_partition(options_.source.input.partition);
  input.set_next_offset(next_offset_);
  input.set_partition_count(options_.source.partition_count);
  input.set_topic_identity(options_.source.topic_identity);
  if (last_record_) *input.mutable_last() = *last_record_;
  Publisher::add_positions(head, options_.sinks);
  return head;
}

Result<void> Task::await_publication() {
  if (!publishing_) return {};
  const Result<void> result = ports_.publisher.wait(*publishing_);
  if (result) count_published(*publishing_);
  publishing_.reset();
  publishing_outbox_.clear();
  return result;
}

void Task::count_published(const PendingPublication& publication) {
  publish_times_.add(publication.out_us - publication.submitted_us);
  for (const auto& [sink, count] : publication.published) {
    const auto at = std::find(options_.sink_names.begin(), options_.sink_names.end(), sink);
    if (at == options_.sink_names.end()) continue;
    published_[static_cast<std::size_t>(at - options_.sink_names.begin())] += count;
  }
}

Result<void> Task::finish_commits() {
  if (next_offset_ != committed_offset_ || open_records_ > 0) WEIR_CHECK(commit());
  return await_publication();
}

bool Task::commit_and_wait() {
  if (halted_) return false;
  if (auto done = finish_commits(); !done) halt(std::move(done).error());
  return !halted_;
}

bool Task::finish() {
  if (!commit_and_wait()) return false;
  if (!outbox_stored_) return true;
  // An empty commit: its outbox replaces the one that is out, its head knows how far the sinks are.
  if (auto done = store_->commit({.head = next_head(!outbox_.empty()), .states = {}, .outbox = {}});
      !done) {
    halt(std::move(done).error());
    return false;
  }
  outbox_stored_ = false;
  step("acknowledge");
  return true;
}

void Task::halt(Error error) {
  ports_.logger.error("task", "task {} halted: {}", options_.name, error.message);
  halted_ = std::move(error);
}

}  // namespace weir::host
