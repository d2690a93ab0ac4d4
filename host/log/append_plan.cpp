#include "log/append_plan.hpp"

#include "log/batch.hpp"
#include "log/rules.hpp"

namespace weir::host {

Result<AppendPlan> AppendPlan::make(std::span<const Publication> publications,
                                    const FindTopic& find_topic) {
  AppendPlan out;
  for (const Publication& publication : publications) {
    WEIR_CHECK(out.add(publication.records, find_topic));
  }
  out.sort();
  return out;
}

Result<AppendPlan> AppendPlan::make(std::span<const NewRecord> records,
                                    const FindTopic& find_topic) {
  AppendPlan out;
  WEIR_CHECK(out.add(records, find_topic));
  out.sort();
  return out;
}

Result<std::size_t> AppendPlan::topic_index(std::string_view name, const FindTopic& find_topic) {
  if (last_topic_ < topics_.size() && topics_[last_topic_].name == name) return last_topic_;
  for (std::size_t i = 0; i < topics_.size(); ++i) {
    if (topics_[i].name == name) return i;
  }
  WEIR_TRY(const Topic topic, find_topic(name));
  const auto partition_count = static_cast<std::size_t>(topic.partition_count);
  topics_.push_back({name, topic, std::vector<std::int32_t>(partition_count, -1)});
  return topics_.size() - 1;
}

Result<void> AppendPlan::add(std::span<const NewRecord> records, const FindTopic& find_topic) {
  given_.reserve(given_.size() + records.size());
  slot_of_.reserve(given_.size() + records.size());
  for (const NewRecord& record : records) {
    WEIR_TRY(last_topic_, topic_index(record.topic, find_topic));
    SeenTopic& seen = topics_[last_topic_];
    if (record.partition < 0 || record.partition >= seen.topic.partition_count) {
      return no_such_partition(record.topic, record.partition, seen.topic.partition_count);
    }
    if (const std::size_t bytes = encoded_bytes(record); bytes > record_bytes_max) {
      return error(Errc::invalid,
                   "a record for topic '{}' partition {} has {} bytes with its headers, the log "
                   "takes at most {}",
                   record.topic, record.partition, bytes, record_bytes_max);
    }
    std::int32_t& slot = seen.slots[static_cast<std::size_t>(record.partition)];
    if (slot < 0) {
      slot = static_cast<std::int32_t>(partitions_.size());
      partitions_.push_back({record.topic, seen.topic.id, record.partition, {}, {}});
      counts_.push_back(0);
    }
    ++counts_[static_cast<std::size_t>(slot)];
    given_.push_back(&record);
    slot_of_.push_back(slot);
  }
  return {};
}

void AppendPlan::sort() {
  sorted_.resize(given_.size());
  indexes_.resize(given_.size());
  std::vector<std::size_t> next(partitions_.size());
  std::size_t begin = 0;
  for (std::size_t slot = 0; slot < partitions_.size(); ++slot) {
    next[slot] = begin;
    partitions_[slot].records = {sorted_.data() + begin, counts_[slot]};
    partitions_[slot].indexes = {indexes_.data() + begin, counts_[slot]};
    begin += counts_[slot];
  }
  for (std::size_t i = 0; i < given_.size(); ++i) {
    const std::size_t at = next[static_cast<std::size_t>(slot_of_[i])]++;
    sorted_[at] = given_[i];
    indexes_[at] = i;
  }
}

AppendPlan::Piece AppendPlan::cut(std::span<const NewRecord* const>& rest) {
  std::size_t count = 0;
  std::size_t bytes = batch_header_bytes;
  while (count < rest.size()) {
    const std::size_t size = encoded_bytes(*rest[count]);
    if (count > 0 && bytes + size > batch_target_bytes) break;
    bytes += size;
    ++count;
  }
  const Piece piece{rest.first(count), bytes};
  rest = rest.subspan(count);
  return piece;
}

}  // namespace weir::host
