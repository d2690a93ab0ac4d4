#include "log/memory_log.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "log/append_plan.hpp"
#include "log/batch.hpp"
#include "log/rules.hpp"

namespace weir::host {
namespace {

struct StoredBatch {
  std::int64_t base_offset = 0;
  std::string bytes;
};

struct Partition {
  OffsetRange range;
  /// Shared with the readers that have handed out views of them.
  std::deque<std::shared_ptr<const StoredBatch>> batches;

  /// The first batch that ends after `position`.
  auto find(std::int64_t position) const {
    const auto after = std::upper_bound(
        batches.begin(), batches.end(), position,
        [](std::int64_t offset, const auto& batch) { return offset < batch->base_offset; });
    return after == batches.begin() ? after : after - 1;
  }
};

struct Topic {
  std::uint32_t id = 0;
  std::vector<Partition> partitions;

  std::int32_t partition_count() const { return static_cast<std::int32_t>(partitions.size()); }
};

}  // namespace

/// Everything of a log; all of it under `mutex`, whose holders call nothing of the port.
struct MemoryLog::Shared {
  Options options;
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t change_count = 1;
  std::map<std::thread::id, std::uint64_t> seen_changes;
  std::map<std::string, Topic, std::less<>> topics;
  std::map<std::pair<std::string, TopicPartition>, Mark, std::less<>> marks;
  std::map<std::pair<std::string, std::string>, std::uint64_t> epochs;
  LogHealth health;
  std::uint64_t publish_count = 0;
  std::map<std::uint64_t, PublishFault> faults;  // by publish_count
  std::uint64_t unanswered = 0;                  // calls to come
  std::atomic<bool> hangs{false};

  Result<void> answer() {
    if (unanswered == 0) return {};
    --unanswered;
    return error(Errc::unavailable, "the log does not answer");
  }

  Result<Partition*> partition(const TopicPartition& wanted) {
    const auto topic = topics.find(wanted.topic);
    if (topic == topics.end()) return no_such_topic(wanted.topic);
    const std::int32_t count = topic->second.partition_count();
    if (wanted.partition < 0 || wanted.partition >= count) {
      return no_such_partition(wanted.topic, wanted.partition, count);
    }
    return &topic->second.partitions[static_cast<std::size_t>(wanted.partition)];
  }

  AppendPlan::FindTopic find_topic() {
    return [this](std::string_view name) -> Result<AppendPlan::Topic> {
      const auto topic = topics.find(name);
      if (topic == topics.end()) return no_such_topic(name);
      return AppendPlan::Topic{topic->second.id, topic->second.partition_count()};
    };
  }

  /// Cannot fail: the plan has checked everything. Returns the first offset.
  std::int64_t add(const AppendPlan::Partition& planned) {
    auto& partitions = topics.find(planned.topic)->second.partitions;
    Partition& partition = partitions[static_cast<std::size_t>(planned.partition)];
    const std::int64_t first = partition.range.end;
    for (auto rest = planned.records; !rest.empty();) {
      const AppendPlan::Piece piece = AppendPlan::cut(rest);
      auto batch = std::make_shared<StoredBatch>();
      batch->base_offset = partition.range.end;
      batch->bytes.resize(piece.bytes);
      encode_batch({planned.topic, planned.topic_id, planned.partition, batch->base_offset},
                   piece.records, batch->bytes.data());
      partition.batches.push_back(std::move(batch));
      partition.range.end += static_cast<std::int64_t>(piece.records.size());
    }
    return first;
  }

  void notify() {
    ++change_count;
    changed.notify_all();
  }
};

class MemoryLog::MemoryReader final : public Reader {
 public:
  MemoryReader(std::shared_ptr<Shared> shared, TopicPartition partition, std::uint32_t topic_id,
               std::int64_t offset)
      : shared_(std::move(shared)), partition_(std::move(partition)), topic_id_(topic_id) {
    next_.offset = offset;
  }

  Result<std::span<const Record>> fetch(FetchLimit limit) override {
    held_.clear();
    buffer_.start(limit);
    const std::lock_guard lock(shared_->mutex);
    WEIR_TRY(const Partition* const partition, shared_->partition(partition_));
    const OffsetRange range = partition->range;
    if (next_.offset < range.begin || next_.offset > range.end) {
      return position_out_of_range(partition_.topic, partition_.partition, next_.offset, range);
    }
    for (auto at = partition->find(next_.offset); at != partition->batches.end() && !buffer_.full();
         ++at) {
      WEIR_CHECK(take(*at));
    }
    if (!buffer_.full()) next_.offset = range.end;  // over offsets without records
    return buffer_.records();
  }

  std::int64_t position() const override { return next_.offset; }

  Result<void> seek(std::int64_t offset) override {
    held_.clear();
    if (offset != next_.offset) {
      next_ = {offset, 0};
      batch_base_ = -1;
    }
    return {};
  }

 private:
  Result<void> take(const std::shared_ptr<const StoredBatch>& stored) {
    WEIR_TRY(const BatchView batch, BatchView::open({partition_.topic, topic_id_,
                                                     partition_.partition, stored->base_offset},
                                                    stored->bytes));
    if (batch.end_offset() <= next_.offset) return {};
    if (batch_base_ != stored->base_offset) {
      BatchView::Cursor at = batch.begin();
      while (at.offset < next_.offset) WEIR_CHECK(batch.skip(at));
      next_ = at;
      batch_base_ = stored->base_offset;
    }
    held_.push_back(stored);
    return buffer_.take(batch, next_);
  }

  std::shared_ptr<Shared> shared_;
  TopicPartition partition_;
  std::uint32_t topic_id_;
  BatchView::Cursor next_;
  std::int64_t batch_base_ = -1;  // of the batch that next_.byte counts in
  std::vector<std::shared_ptr<const StoredBatch>> held_;
  FetchBuffer buffer_;
};

class MemoryLog::MemoryProducer final : public Producer {
 public:
  MemoryProducer(std::shared_ptr<Shared> shared, std::string group, std::string id,
                 std::uint64_t epoch)
      : shared_(std::move(shared)), group_(std::move(group)), id_(std::move(id)), epoch_(epoch) {}

  Result<void> publish(std::span<const Publication> publications) override {
    WEIR_CHECK(check_publications(publications));
    shared_->hangs.wait(true);
    const std::lock_guard lock(shared_->mutex);
    if (shared_->epochs[{group_, id_}] != epoch_) return fenced(group_, id_);
    if (unusable_) return no_answer();
    for (const Publication& publication : publications) {
      for (const Mark& mark : publication.marks) WEIR_CHECK(shared_->partition(mark.input));
    }
    WEIR_TRY(const AppendPlan plan, AppendPlan::make(publications, shared_->find_topic()));

    const auto fault = shared_->faults.extract(++shared_->publish_count);
    unusable_ = !fault.empty();
    if (unusable_ && fault.mapped() == PublishFault::lost) return no_answer();
    apply(publications, plan);
    if (unusable_) return no_answer();
    return {};
  }

 private:
  void apply(std::span<const Publication> publications, const AppendPlan& plan) {
    for (const AppendPlan::Partition& planned : plan.partitions()) {
      shared_->add(planned);
      if (!shared_->options.commit_markers) continue;
      const auto topic = shared_->topics.find(planned.topic);
      ++topic->second.partitions[static_cast<std::size_t>(planned.partition)].range.end;
    }
    for (const Publication& publication : publications) {
      for (const Mark& mark : publication.marks) {
        shared_->marks.insert_or_assign({group_, mark.input}, mark);
      }
    }
    shared_->notify();
  }

  Error no_answer() const {
    return error(Errc::unavailable,
                 "producer '{}' of group '{}' got no answer, so it is not known whether it "
                 "published; open a new producer and ask what is committed",
                 id_, group_);
  }

  std::shared_ptr<Shared> shared_;
  std::string group_;
  std::string id_;
  std::uint64_t epoch_;
  bool unusable_ = false;
};

MemoryLog::MemoryLog(Options options) : shared_(std::make_shared<Shared>()) {
  shared_->options = options;
}
MemoryLog::MemoryLog(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
MemoryLog::~MemoryLog() = default;

std::unique_ptr<MemoryLog> MemoryLog::another_handle() const {
  return std::unique_ptr<MemoryLog>(new MemoryLog(shared_));
}

Result<std::optional<TopicInfo>> MemoryLog::topic(std::string_view name) {
  const std::lock_guard lock(shared_->mutex);
  const auto at = shared_->topics.find(name);
  if (at == shared_->topics.end()) return std::optional<TopicInfo>{};
  return std::optional(
      TopicInfo{at->first, at->second.partition_count(), std::to_string(at->second.id)});
}

Result<std::vector<TopicInfo>> MemoryLog::topics() {
  const std::lock_guard lock(shared_->mutex);
  std::vector<TopicInfo> out;
  for (const auto& [name, topic] : shared_->topics) {
    out.push_back({name, topic.partition_count(), std::to_string(topic.id)});
  }
  return out;
}

Result<void> MemoryLog::create_topic(std::string_view name, std::int32_t partition_count) {
  WEIR_CHECK(check_topic_name(name));
  WEIR_CHECK(check_partition_count(name, partition_count));
  const std::lock_guard lock(shared_->mutex);
  const auto [at, made] = shared_->topics.try_emplace(std::string(name));
  if (!made && at->second.partition_count() != partition_count) {
    return other_partition_count(name, at->second.partition_count(), partition_count);
  }
  if (made) {
    at->second.id = static_cast<std::uint32_t>(shared_->topics.size());
    at->second.partitions.resize(static_cast<std::size_t>(partition_count));
  }
  return {};
}

Result<OffsetRange> MemoryLog::offsets(const TopicPartition& partition) {
  const std::lock_guard lock(shared_->mutex);
  WEIR_TRY(const Partition* const found, shared_->partition(partition));
  return found->range;
}

Result<std::int64_t> MemoryLog::offset_at(const TopicPartition& partition,
                                          std::int64_t timestamp_ms) {
  const std::lock_guard lock(shared_->mutex);
  WEIR_TRY(const Partition* const found, shared_->partition(partition));
  const std::uint32_t topic_id = shared_->topics.find(partition.topic)->second.id;
  for (const auto& stored : found->batches) {
    WEIR_TRY(const BatchView batch,
             BatchView::open({partition.topic, topic_id, partition.partition, stored->base_offset},
                             stored->bytes));
    if (batch.max_timestamp_ms() < timestamp_ms) continue;
    WEIR_TRY(const std::int64_t offset, batch.offset_at(found->range.begin, timestamp_ms));
    if (offset < batch.end_offset()) return offset;
  }
  return found->range.end;
}

Result<std::unique_ptr<Reader>> MemoryLog::open_reader(const TopicPartition& partition,
                                                       std::int64_t offset) {
  const std::lock_guard lock(shared_->mutex);
  WEIR_CHECK(shared_->partition(partition));
  const std::uint32_t topic_id = shared_->topics.find(partition.topic)->second.id;
  return std::unique_ptr<Reader>(
      std::make_unique<MemoryReader>(shared_, partition, topic_id, offset));
}

Result<std::unique_ptr<Producer>> MemoryLog::open_producer(std::string_view group,
                                                           std::string_view id) {
  WEIR_CHECK(check_name("the group", group));
  WEIR_CHECK(check_name("the producer", id));
  const std::lock_guard lock(shared_->mutex);
  WEIR_CHECK(shared_->answer());
  const std::uint64_t epoch = ++shared_->epochs[{std::string(group), std::string(id)}];
  return std::unique_ptr<Producer>(
      std::make_unique<MemoryProducer>(shared_, std::string(group), std::string(id), epoch));
}

Result<std::optional<Mark>> MemoryLog::committed(std::string_view group,
                                                 const TopicPartition& input) {
  WEIR_CHECK(check_name("the group", group));
  const std::lock_guard lock(shared_->mutex);
  WEIR_CHECK(shared_->answer());
  const auto at = shared_->marks.find({std::string(group), input});
  if (at == shared_->marks.end()) return std::optional<Mark>{};
  return std::optional(at->second);
}

Result<std::vector<std::int64_t>> MemoryLog::append(std::span<const NewRecord> records) {
  const std::lock_guard lock(shared_->mutex);
  WEIR_TRY(const AppendPlan plan, AppendPlan::make(records, shared_->find_topic()));
  std::vector<std::int64_t> offsets(records.size());
  for (const AppendPlan::Partition& planned : plan.partitions()) {
    std::int64_t offset = shared_->add(planned);
    for (const std::size_t index : planned.indexes) offsets[index] = offset++;
  }
  shared_->notify();
  return offsets;
}

void MemoryLog::wait_for_records(std::chrono::milliseconds timeout) {
  std::unique_lock lock(shared_->mutex);
  std::uint64_t& seen = shared_->seen_changes[std::this_thread::get_id()];
  shared_->changed.wait_for(lock, timeout, [&] { return seen != shared_->change_count; });
  seen = shared_->change_count;
}

LogHealth MemoryLog::health() {
  const std::lock_guard lock(shared_->mutex);
  return shared_->health;
}

void MemoryLog::set_health(LogHealth health) {
  const std::lock_guard lock(shared_->mutex);
  shared_->health = std::move(health);
}

void MemoryLog::fail_publish(std::uint64_t nth, PublishFault fault) {
  const std::lock_guard lock(shared_->mutex);
  shared_->faults[shared_->publish_count + nth] = fault;
}

void MemoryLog::go_away(std::uint64_t calls) {
  const std::lock_guard lock(shared_->mutex);
  shared_->unanswered = calls;
}

void MemoryLog::hang(bool hangs) {
  shared_->hangs = hangs;
  shared_->hangs.notify_all();
}

Result<void> MemoryLog::add_gap(const TopicPartition& partition, std::int64_t count) {
  const std::lock_guard lock(shared_->mutex);
  WEIR_TRY(Partition* const found, shared_->partition(partition));
  found->range.end += count;
  shared_->notify();
  return {};
}

void MemoryLog::forget_mark(std::string_view group, const TopicPartition& input) {
  const std::lock_guard lock(shared_->mutex);
  shared_->marks.erase({std::string(group), input});
}

Result<void> MemoryLog::truncate(const TopicPartition& partition, std::int64_t begin) {
  const std::lock_guard lock(shared_->mutex);
  WEIR_TRY(Partition* const found, shared_->partition(partition));
  found->range.begin = std::clamp(begin, found->range.begin, found->range.end);
  // A batch goes when the next one begins at or below the new begin, and the last one when nothing
  // is left to see.
  auto& batches = found->batches;
  while (batches.size() > 1 && batches[1]->base_offset <= found->range.begin) batches.pop_front();
  return {};
}

}  // namespace weir::host
