#include "log/embedded_tables.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "log/rules.hpp"

namespace weir::host {
namespace {

using Table = LogEnvironment::Table;

constexpr std::string_view next_topic_key = "next_topic";
constexpr std::size_t identity_bytes = 16;
constexpr std::size_t topic_payload_bytes = 8 + identity_bytes;

template <typename T>
void store_be(char* at, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) {
    at[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * (sizeof value - 1 - i)));
  }
}

std::string random_identity() {
  std::random_device random;
  std::string out;
  while (out.size() < identity_bytes) append_le(out, std::uint32_t{random()});
  return out;
}

EmbeddedTables::Topic decode_topic(std::string_view payload) {
  return {load_le<std::uint32_t>(payload.data()), load_le<std::int32_t>(payload.data() + 4),
          to_hex(payload.substr(8, identity_bytes))};
}

std::string mark_key(std::string_view group, const PartitionRef& input) {
  std::string out(group);
  out.push_back('\0');
  out += PartitionKey(input.topic_id, input.partition);
  return out;
}

/// In place of a producer's id: the epoch of the group's member.
constexpr std::string_view every_producer;

std::string producer_key(std::string_view group, std::string_view id) {
  std::string out(group);
  out.push_back('\0');
  out += id;
  return out;
}

}  // namespace

PartitionKey::PartitionKey(std::uint32_t topic_id, std::int32_t partition) {
  store_be(bytes_, topic_id);
  store_be(bytes_ + 4, partition);
}

BatchKey::BatchKey(std::uint32_t topic_id, std::int32_t partition, std::int64_t base_offset) {
  store_be(bytes_, topic_id);
  store_be(bytes_ + 4, partition);
  store_be(bytes_ + base_offset_at, base_offset);
}

std::int64_t BatchKey::base_offset(std::string_view key) {
  return static_cast<std::int64_t>(
      __builtin_bswap64(load_le<std::uint64_t>(key.data() + base_offset_at)));
}

Result<std::optional<EmbeddedTables::Topic>> EmbeddedTables::topic(std::string_view name) {
  {
    const std::shared_lock lock(topics_mutex_);
    if (const auto at = topics_.find(name); at != topics_.end()) return std::optional(at->second);
  }
  if (!check_topic_name(name)) return std::optional<Topic>{};
  LogSnapshot snapshot(environment_);
  WEIR_CHECK(snapshot.renew());
  WEIR_TRY(const auto value, snapshot.get(Table::topics, name));
  if (!value) return std::optional<Topic>{};
  WEIR_TRY(const std::string_view payload,
           environment_->unseal(name, *value, topic_payload_bytes, "a topic's entry"));
  Topic topic = decode_topic(payload);
  const std::unique_lock lock(topics_mutex_);
  topics_.emplace(name, topic);
  return std::optional(std::move(topic));
}

Result<std::vector<TopicInfo>> EmbeddedTables::topics() {
  LogSnapshot snapshot(environment_);
  WEIR_CHECK(snapshot.renew());
  MDB_cursor* opened = nullptr;
  int code = mdb_cursor_open(snapshot.transaction(), environment_->dbi(Table::topics), &opened);
  if (code != 0) return environment_->error(code, "list its topics");
  const std::unique_ptr<MDB_cursor, decltype(&mdb_cursor_close)> cursor(opened, mdb_cursor_close);
  std::vector<TopicInfo> out;
  MDB_val key{};
  MDB_val value{};
  while ((code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) == 0) {
    WEIR_TRY(const std::string_view payload,
             environment_->unseal(to_view(key), value, topic_payload_bytes, "a topic's entry"));
    Topic topic = decode_topic(payload);
    out.push_back({std::string(to_view(key)), topic.partition_count, std::move(topic.identity)});
  }
  if (code != MDB_NOTFOUND) return environment_->error(code, "list its topics");
  return out;
}

Result<void> EmbeddedTables::create_topic(std::string_view name, std::int32_t partition_count) {
  WEIR_CHECK(check_topic_name(name));
  WEIR_CHECK(check_partition_count(name, partition_count));
  WEIR_TRY(LogTransaction transaction, LogTransaction::begin(*environment_));
  WEIR_TRY(const auto exists, transaction.get(Table::topics, name));
  if (exists) {
    WEIR_TRY(const std::string_view payload,
             environment_->unseal(name, *exists, topic_payload_bytes, "a topic's entry"));
    const std::int32_t count = decode_topic(payload).partition_count;
    if (count == partition_count) return {};
    return other_partition_count(name, count, partition_count);
  }
  std::uint32_t id = 1;
  WEIR_TRY(const auto next, transaction.get(Table::meta, next_topic_key));
  if (next) {
    WEIR_TRY(const std::string_view payload,
             environment_->unseal(next_topic_key, *next, sizeof id, "the next topic's id"));
    id = load_le<std::uint32_t>(payload.data());
  }
  std::string payload;
  append_le(payload, id + 1);
  WEIR_CHECK(transaction.put(Table::meta, next_topic_key, std::move(payload)));
  payload.clear();
  append_le(payload, id);
  append_le(payload, partition_count);
  payload += random_identity();
  WEIR_CHECK(transaction.put(Table::topics, name, std::move(payload)));
  for (std::int32_t partition = 0; partition < partition_count; ++partition) {
    payload.assign(2 * sizeof(std::int64_t), '\0');  // begin and end at 0
    WEIR_CHECK(transaction.put(Table::partitions, PartitionKey(id, partition), payload));
  }
  return commit(transaction);
}

Result<PartitionRef> EmbeddedTables::partition(const TopicPartition& partition) {
  WEIR_TRY(const auto found, topic(partition.topic));
  if (!found) return no_such_topic(partition.topic);
  if (partition.partition < 0 || partition.partition >= found->partition_count) {
    return no_such_partition(partition.topic, partition.partition, found->partition_count);
  }
  return PartitionRef{partition.topic, found->id, partition.partition};
}

Result<OffsetRange> EmbeddedTables::decode_range(std::string_view topic, std::string_view key,
                                                 const std::optional<MDB_val>& value) const {
  const auto what = [&] {
    const auto partition = __builtin_bswap32(load_le<std::uint32_t>(key.data() + 4));
    return fmt::format("the offsets of topic '{}' partition {}", topic, partition);
  };
  if (!value) return environment_->error(MDB_CORRUPTED, fmt::format("find {}", what()));
  constexpr std::size_t payload_bytes = 2 * sizeof(std::int64_t);
  const auto payload = environment_->unseal(key, *value, payload_bytes, {});
  // Its words are only worth making for a broken entry.
  if (!payload) return environment_->unseal(key, *value, payload_bytes, what()).error();
  return OffsetRange{load_le<std::int64_t>(payload->data()),
                     load_le<std::int64_t>(payload->data() + sizeof(std::int64_t))};
}

Result<std::optional<Mark>> EmbeddedTables::mark(std::string_view group,
                                                 const TopicPartition& input) {
  WEIR_CHECK(check_name("the group", group));
  const auto ref = partition(input);
  if (!ref) {
    if (ref.error().code == Errc::not_found) return std::optional<Mark>{};
    return ref.error();
  }
  LogSnapshot snapshot(environment_);
  WEIR_CHECK(snapshot.renew());
  const std::string key = mark_key(group, *ref);
  WEIR_TRY(const auto value, snapshot.get(Table::marks, key));
  if (!value) return std::optional<Mark>{};
  WEIR_TRY(const std::string_view payload,
           environment_->unseal(key, *value, 0,
                                fmt::format("the mark of group '{}' for topic '{}' partition {}",
                                            group, input.topic, input.partition)));
  return std::optional(
      Mark{input, load_le<std::int64_t>(payload.data()), std::string(payload.substr(8))});
}

Result<std::uint64_t> EmbeddedTables::epoch(const LogTransaction& transaction,
                                            std::string_view key) const {
  WEIR_TRY(const auto value, transaction.get(Table::producers, key));
  if (!value) return std::uint64_t{0};
  WEIR_TRY(const std::string_view payload,
           environment_->unseal(key, *value, sizeof(std::uint64_t), "a producer's epoch"));
  return load_le<std::uint64_t>(payload.data());
}

Result<std::uint64_t> EmbeddedTables::next_epoch(std::string_view group, std::string_view id) {
  WEIR_CHECK(check_name("the group", group));
  WEIR_CHECK(check_name("the producer", id));
  return next_epoch(producer_key(group, id));
}

Result<void> EmbeddedTables::join(std::string_view group) {
  WEIR_CHECK(check_name("the group", group));
  WEIR_TRY(const std::uint64_t epoch, next_epoch(producer_key(group, every_producer)));
  member_ = Member{std::string(group), epoch};
  return {};
}

Result<std::uint64_t> EmbeddedTables::next_epoch(const std::string& key) {
  WEIR_TRY(LogTransaction transaction, LogTransaction::begin(*environment_));
  WEIR_TRY(const std::uint64_t last, epoch(transaction, key));
  std::string payload;
  append_le(payload, last + 1);
  WEIR_CHECK(transaction.put(Table::producers, key, std::move(payload)));
  WEIR_CHECK(commit(transaction));
  return last + 1;
}

AppendPlan::FindTopic EmbeddedTables::find_topic() {
  return [this](std::string_view name) -> Result<AppendPlan::Topic> {
    WEIR_TRY(const auto found, topic(name));
    if (!found) return no_such_topic(name);
    return AppendPlan::Topic{found->id, found->partition_count};
  };
}

Result<std::int64_t> EmbeddedTables::put_records(LogTransaction& transaction,
                                                 const AppendPlan::Partition& partition) {
  const PartitionKey key(partition.topic_id, partition.partition);
  WEIR_TRY(OffsetRange range, this->range(transaction, partition.topic, key));
  const std::int64_t first = range.end;
  for (auto rest = partition.records; !rest.empty();) {
    const AppendPlan::Piece piece = AppendPlan::cut(rest);
    const BatchPlace place{partition.topic, partition.topic_id, partition.partition, range.end};
    WEIR_TRY(char* const room, transaction.reserve(Table::records, BatchKey(place), piece.bytes));
    encode_batch(place, piece.records, room);
    range.end += static_cast<std::int64_t>(piece.records.size());
    step("next batch");
  }
  std::string payload;
  append_le(payload, range.begin);
  append_le(payload, range.end);
  WEIR_CHECK(transaction.put(Table::partitions, key, std::move(payload)));
  return first;
}

Result<void> EmbeddedTables::put_mark(LogTransaction& transaction, std::string_view group,
                                      const Mark& mark) {
  WEIR_TRY(const PartitionRef input, partition(mark.input));
  std::string payload;
  append_le(payload, mark.next_offset);
  payload += mark.metadata;
  return transaction.put(Table::marks, mark_key(group, input), std::move(payload));
}

Result<void> EmbeddedTables::commit(LogTransaction& transaction) {
  step("commit");
  WEIR_CHECK(transaction.commit());
  step("return");
  environment_->notify();
  return {};
}

Result<std::vector<std::int64_t>> EmbeddedTables::append(std::span<const NewRecord> records) {
  WEIR_TRY(const AppendPlan plan, AppendPlan::make(records, find_topic()));
  std::vector<std::int64_t> offsets(records.size());
  if (records.empty()) return offsets;
  step("begin");
  WEIR_TRY(LogTransaction transaction, LogTransaction::begin(*environment_));
  for (const AppendPlan::Partition& partition : plan.partitions()) {
    step("records");
    WEIR_TRY(std::int64_t offset, put_records(transaction, partition));
    for (const std::size_t index : partition.indexes) offsets[index] = offset++;
  }
  WEIR_CHECK(commit(transaction));
  return offsets;
}

Result<void> EmbeddedTables::publish(std::string_view group, std::string_view id,
                                     std::uint64_t own_epoch,
                                     std::span<const Publication> publications) {
  WEIR_CHECK(check_publications(publications));
  WEIR_TRY(const AppendPlan plan, AppendPlan::make(publications, find_topic()));
  step("begin");
  WEIR_TRY(LogTransaction transaction, LogTransaction::begin(*environment_));
  WEIR_TRY(const std::uint64_t newest, epoch(transaction, producer_key(group, id)));
  if (newest != own_epoch) return fenced(group, id);
  if (member_ && member_->group == group) {
    WEIR_TRY(const std::uint64_t member, epoch(transaction, producer_key(group, every_producer)));
    if (member != member_->epoch) return fenced(group, id);
  }
  for (const AppendPlan::Partition& partition : plan.partitions()) {
    step("records");
    WEIR_CHECK(put_records(transaction, partition));
  }
  for (const Publication& publication : publications) {
    for (const Mark& mark : publication.marks) {
      step("mark");
      WEIR_CHECK(put_mark(transaction, group, mark));
    }
  }
  return commit(transaction);
}

void EmbeddedTables::wait(std::chrono::milliseconds timeout) {
  using std::chrono::microseconds;
  using Clock = std::chrono::steady_clock;
  constexpr microseconds shortest{50};
  constexpr microseconds longest{2000};

  std::uint64_t* seen = nullptr;
  {
    const std::lock_guard lock(seen_mutex_);
    seen = &seen_[std::this_thread::get_id()];  // stays where it is; only this thread uses it
  }
  const auto deadline = Clock::now() + timeout;
  for (microseconds pause = shortest;; pause = std::min(2 * pause, longest)) {
    if (environment_->lmdb().last_transaction() != *seen) {
      // Who returns before readers see it finds nothing, and would not be woken by it again.
      const auto readable = environment_->lmdb().readable_transaction();
      if (!readable) return;  // the next fetch says why
      if (*readable != *seen) {
        *seen = *readable;
        return;
      }
    }
    const auto left = std::chrono::duration_cast<microseconds>(deadline - Clock::now());
    if (left <= microseconds::zero()) return;
    environment_->sleep(std::min(pause, left));
  }
}

}  // namespace weir::host
