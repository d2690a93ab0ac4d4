// Dead letters that an operator has sent back: one at a time, to the resolver that refused them.
#include <algorithm>

#include "task/task.hpp"

namespace weir::host {

Result<void> Task::open_retries() {
  if (ports_.retries == nullptr) return {};
  const TopicPartition letters{options_.name, 0};
  WEIR_TRY(const auto topic, ports_.retries->topic(letters.topic));
  if (!topic) WEIR_CHECK(ports_.retries->create_topic(letters.topic, 1));
  WEIR_TRY(const OffsetRange range, ports_.retries->offsets(letters));
  retries_end_ = range.end;
  WEIR_TRY(retries_, ports_.retries->open_reader(letters, retries_offset_));
  return {};
}

Result<bool> Task::read_retries(std::int64_t now_ms) {
  if (now_ms < returned_again_.at_ms) return false;
  WEIR_TRY(const auto stored, retries_->fetch({.records = 1}));
  if (stored.empty()) return false;
  if (open_records_ == 0) open_since_ms_ = now_ms;
  const auto pass_over = [&](std::string_view why) {
    ports_.logger.error("task", "task {}: a dead letter came back and stays one: {}", options_.name,
                        why);
    retries_offset_ = retries_->position();
    ++open_records_;
    return true;
  };
  auto retry = Retry::read(stored.front());
  if (!retry) return pass_over(retry.error().message);
  const auto stage = std::find_if(stages_.begin(), stages_.end(), [&](const Stage& one) {
    return one.resolver->name == retry->resolver;
  });
  if (stage == stages_.end()) {
    return pass_over(fmt::format("{} belongs to resolver {}, which the app no longer has",
                                 retry->id, retry->resolver));
  }

  returned_ = &*retry;
  returned_to_ = &*stage;
  const auto resolved = resolve_returned(*retry);
  returned_ = nullptr;
  WEIR_TRY(const Flow flow, resolved);
  switch (flow) {
    case Flow::go_on:
      retries_offset_ = retries_->position();
      ++open_records_;
      ++stage->outcomes.returned;
      return true;
    case Flow::come_again:
      WEIR_CHECK(retries_->seek(stored.front().offset));
      return false;
    case Flow::halt:
      return halt_after_commit();
  }
  return true;
}

Result<Task::Flow> Task::resolve_returned(const Retry& retry) {
  Record record = retry.record;
  record.headers = retry.headers;
  const std::span<const Record> one(&record, 1);
  WEIR_CHECK(decode(one));
  WEIR_CHECK(prepare());
  auto flow = resolve_or_undo(one, 0);
  for (Stage& stage : stages_) stage.run.release();
  return flow;
}

// What could not be decoded was refused for all resolvers that take the same message.
bool Task::is_for(const Stage& stage) const {
  if (returned_ == nullptr || &stage == returned_to_) return true;
  return returned_->undecoded && stage.decoded == returned_to_->decoded;
}

}  // namespace weir::host
