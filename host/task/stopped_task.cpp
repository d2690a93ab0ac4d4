#include "task/stopped_task.hpp"

#include <algorithm>
#include <filesystem>

#include "publish/commit_id.hpp"
#include "task/fit.hpp"

namespace weir::host {

namespace {

TopicPartition input_of(const v1::Head& head) {
  return {head.inputs(0).topic(), head.inputs(0).partition()};
}

std::optional<v1::CommitId> commit_in(const std::optional<Mark>& mark) {
  return mark ? parse_metadata(mark->metadata) : std::nullopt;
}

}  // namespace

Result<std::unique_ptr<StoppedTask>> StoppedTask::open(Options options, Log& log, Log* retries) {
  std::unique_ptr<StoppedTask> self(new StoppedTask(std::move(options), log));
  std::error_code ignored;
  if (std::filesystem::exists(self->options_.store.directory / "data.mdb", ignored)) {
    WEIR_TRY(self->store_, TaskStore::open(self->options_.store));
  }
  WEIR_CHECK(self->look(retries));
  return self;
}

Result<void> StoppedTask::look(Log* retries) {
  WEIR_TRY(standing_.range, log_.offsets(options_.input));
  WEIR_TRY(const auto mark, mark_of(options_.input));
  if (store_ == nullptr || !store_->head()) {
    standing_.mark_fits = !mark;
    return {};
  }
  const v1::Head& head = *store_->head();
  const v1::Input& input = head.inputs(0);
  standing_.next_offset = input.next_offset();
  standing_.partition_count = input.partition_count();
  WEIR_TRY(standing_.is_same_topic, is_same_topic());
  WEIR_TRY(const TaskStore::Contents contents, store_->contents());
  standing_.states = contents.states;
  standing_.timers = contents.timers;
  standing_.parked = contents.parked;
  WEIR_TRY(const auto last_mark, mark_of(input_of(head)));
  const Pending found = pending(last_mark);
  standing_.mark_fits =
      (found == Pending::nothing || found == Pending::newest) && input_of(head) == options_.input;
  if (found == Pending::unknown) {
    WEIR_TRY(const auto outbox, store_->outbox());
    standing_.may_repeat = !outbox.empty();
  }
  if (retries == nullptr) return {};
  WEIR_TRY(const auto letters, retries->topic(options_.name));
  if (!letters) return {};
  WEIR_TRY(const OffsetRange range, retries->offsets({options_.name, 0}));
  retries_end_ = range.end;
  standing_.returned =
      static_cast<std::uint64_t>(std::max<std::int64_t>(range.end - head.retries_offset(), 0));
  return {};
}

Result<bool> StoppedTask::is_same_topic() {
  const v1::Head& head = *store_->head();
  const v1::Input& input = head.inputs(0);
  if (input_of(head) != options_.input || input.topic_identity() != options_.topic_identity) {
    return false;
  }
  const Fit fit{.input = options_.input};
  const auto same = check_last_record(fit, input, standing_.range, log_);
  if (!same && same.error().code != Errc::refused) return same.error();
  return same.has_value();
}

Result<std::optional<Mark>> StoppedTask::mark_of(const TopicPartition& input) {
  return log_.committed(options_.app, input);
}

StoppedTask::Pending StoppedTask::pending(const std::optional<Mark>& mark) const {
  const v1::Head& head = *store_->head();
  const auto seen = commit_in(mark);
  if (mark && !seen) return Pending::unknown;
  if (const auto recovery = reconcile(head, seen)) {
    return *recovery == Recovery::publish_again ? Pending::newest : Pending::nothing;
  }
  const bool is_later = seen && seen->lineage() == head.commit().lineage() &&
                        seen->sequence() > head.commit().sequence();
  return is_later ? Pending::long_out : Pending::unknown;
}

Result<void> StoppedTask::move_to(std::int64_t offset, bool drop, Publisher& publisher,
                                  TaskSinks& sinks) {
  if (store_ == nullptr) {
    WEIR_TRY(store_, TaskStore::open(options_.store));
  }
  WEIR_TRY(const auto mark, mark_of(options_.input));
  seen_ = commit_in(mark);
  if (store_->head()) WEIR_CHECK(settle(publisher, sinks));
  WEIR_CHECK(store_->commit({.head = next_head(offset, drop, sinks),
                             .states = {},
                             .outbox = {},
                             .timers = {},
                             .drop = drop,
                             .undo = UndoStep::forget}));
  if (options_.after_step) options_.after_step("commit");
  return publish(publisher, sinks, {}, /*is_again=*/false);
}

Result<void> StoppedTask::settle(Publisher& publisher, TaskSinks& sinks) {
  WEIR_CHECK(Publisher::restore(sinks, *store_->head()));
  WEIR_TRY(const auto chunks, store_->outbox());
  if (chunks.empty()) return {};
  const std::vector<std::string_view> views(chunks.begin(), chunks.end());
  WEIR_TRY(const auto mark, mark_of(input_of(*store_->head())));
  switch (pending(mark)) {
    case Pending::nothing:
    case Pending::long_out:
      return Publisher::write_lines(sinks, views);
    case Pending::newest:
    case Pending::unknown:
      break;
  }
  return publish(publisher, sinks, views, /*is_again=*/true);
}

Result<void> StoppedTask::publish(Publisher& publisher, TaskSinks& sinks,
                                  std::vector<std::string_view> chunks, bool is_again) {
  const v1::Head& head = *store_->head();
  PendingPublication publication;
  publication.task = options_.name;
  publication.sinks = &sinks;
  publication.inputs = {options_.input};
  publication.next_offsets = {head.inputs(0).next_offset()};
  publication.id = head.commit();
  publication.before = seen_;
  publication.chunks = std::move(chunks);
  publication.is_again = is_again;
  publisher.submit(publication);
  WEIR_CHECK(publisher.wait(publication));
  seen_ = head.commit();
  return {};
}

v1::Head StoppedTask::next_head(std::int64_t offset, bool drop, const TaskSinks& sinks) const {
  v1::Head head;
  const std::optional<v1::Head>& last = store_->head();
  *head.mutable_commit() = next_commit_id(store_->lineage(), last);
  *head.mutable_published() = head.commit();
  // Not what this State has published: the log may know another one, or none any more.
  if (seen_) *head.mutable_published_before() = *seen_;
  v1::Input& input = *head.add_inputs();
  input.set_topic(options_.input.topic);
  input.set_partition(options_.input.partition);
  input.set_next_offset(offset);
  input.set_partition_count(options_.partition_count);
  input.set_topic_identity(options_.topic_identity);
  // Timers come back with the records that set them, so the clock of the records begins anew too.
  head.set_arrival_ms(last && !drop ? last->arrival_ms() : 0);
  head.set_retries_offset(drop ? retries_end_ : last ? last->retries_offset() : 0);
  Publisher::add_positions(head, sinks);
  return head;
}

}  // namespace weir::host
