#include "task/task_snapshot.hpp"

#include "task/task.hpp"

namespace weir::host {

Counters TaskSnapshot::counters() const {
  Counters sum;
  sum.records = records;
  sum.commits = commits;
  for (const ResolverSnapshot& resolver : resolvers) {
    sum.Outcomes::operator+=(resolver.outcomes);
    sum.retries += resolver.retries;
  }
  return sum;
}

std::uint64_t TaskSnapshot::live_states() const {
  std::uint64_t sum = 0;
  for (const ResolverSnapshot& resolver : resolvers) sum += resolver.live_states;
  return sum;
}

std::uint64_t TaskSnapshot::parked_keys() const {
  std::uint64_t sum = 0;
  for (const ResolverSnapshot& resolver : resolvers) sum += resolver.parked_keys;
  return sum;
}

std::uint64_t TaskSnapshot::parked_records() const {
  std::uint64_t sum = 0;
  for (const ResolverSnapshot& resolver : resolvers) sum += resolver.parked_records;
  return sum;
}

void Task::snapshot(TaskSnapshot& out) const {
  out.position = next_offset_;
  out.committed = committed_offset_;
  out.records = records_;
  out.commits = commits_;
  out.call_us = call_us_;
  out.resolvers.resize(stages_.size());
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const Stage& stage = stages_[i];
    ResolverSnapshot& resolver = out.resolvers[i];
    resolver.outcomes = stage.outcomes;
    resolver.retries = stage.retries;
    resolver.live_states = stage.live != nullptr ? stage.live->count() : 0;
    resolver.live_bytes = stage.live != nullptr ? stage.live->estimated_bytes() : 0;
    resolver.parked_keys = parking_->count(i).keys;
    resolver.parked_records = parking_->count(i).records;
  }
  out.published = published_;
  out.commit_times = commit_times_;
  out.publish_times = publish_times_;
  out.parked_bytes = parking_->bytes();
  out.outbox_bytes = outbox_.bytes() + (publishing_ ? publishing_outbox_.bytes() : 0);
  out.record_timestamp_ms = record_timestamp_ms_;
  out.commit_wall_ms = commit_wall_ms_;
  if (halted_ && !out.halted) out.halted = halted_;
}

}  // namespace weir::host
