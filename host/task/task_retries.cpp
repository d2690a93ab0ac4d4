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

  const Recalled recalled{.to = &*stage,
                          .undecoded = retry->undecoded,
                          .retry_of = retry->id,
                          .arrival_ms = arrival_ms_};
  recalled_ = &recalled;
  const auto resolved = resolve_returned(*retry);
  recalled_ = nullptr;
  WEIR_TRY(const Flow flow, resolved);
  if (flow == Flow::halt) return halt_after_commit();
  retries_offset_ = retries_->position();
  ++open_records_;
  ++stage->outcomes.returned;
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
  if (recalled_ == nullptr || &stage == recalled_->to) return true;
  return recalled_->undecoded && stage.decoded == recalled_->to->decoded;
}

}  // namespace weir::host
