#include "log/kafka/kafka_log.hpp"

#include <array>
#include <future>
#include <random>
#include <thread>
#include <utility>

#include "base/bytes.hpp"
#include "log/kafka/kafka_admin.hpp"
#include "log/kafka/kafka_client.hpp"
#include "log/kafka/kafka_member.hpp"
#include "log/kafka/kafka_producer.hpp"
#include "log/kafka/kafka_reader.hpp"
#include "log/rules.hpp"

namespace weir::host {
namespace {

std::string random_id() {
  std::random_device random;
  const std::array<std::uint32_t, 2> drawn{random(), random()};
  return to_hex({reinterpret_cast<const char*>(drawn.data()), sizeof drawn});
}

}  // namespace

KafkaLog::KafkaLog(std::shared_ptr<KafkaContext> context) : context_(std::move(context)) {}
KafkaLog::~KafkaLog() = default;

Result<std::unique_ptr<KafkaLog>> KafkaLog::open(KafkaOptions options) {
  auto context = std::make_shared<KafkaContext>();
  context->options = std::move(options);
  std::unique_ptr<KafkaLog> self(new KafkaLog(context));
  WEIR_TRY(self->admin_, KafkaAdmin::open(context));
  return self;
}

Result<void> KafkaLog::join(const Membership& membership) {
  WEIR_TRY(member_, KafkaMember::join(context_, admin_, membership));
  group_ = membership.group;
  return end_producers(membership.former_producers);
}

Result<void> KafkaLog::end_producers(const std::vector<std::string>& ids) {
  std::vector<std::future<Result<void>>> ends;  // each takes its time
  for (const std::string& id : ids) {
    ends.push_back(std::async(std::launch::async, [&, id]() -> Result<void> {
      KafkaProducer::Options options{group_, id, /*exactly_once=*/true, member_};
      WEIR_CHECK(KafkaProducer::open(context_, admin_, std::move(options)));
      return {};
    }));
  }
  Result<void> out;
  for (auto& end : ends) {
    if (auto ended = end.get(); out && !ended) out = std::move(ended);
  }
  return out;
}

Result<std::optional<TopicInfo>> KafkaLog::topic(std::string_view name) {
  return admin_->topic(name);
}

Result<std::vector<TopicInfo>> KafkaLog::topics() { return admin_->topics(); }

Result<void> KafkaLog::create_topic(std::string_view name, std::int32_t partition_count) {
  return admin_->create_topic(name, partition_count);
}

Result<OffsetRange> KafkaLog::offsets(const TopicPartition& partition) {
  return admin_->offsets(partition);
}

Result<std::int64_t> KafkaLog::offset_at(const TopicPartition& partition,
                                         std::int64_t timestamp_ms) {
  WEIR_TRY(const OffsetRange range, admin_->offsets(partition));
  WEIR_TRY(const std::int64_t first, admin_->first_offset_at(partition, timestamp_ms, range));
  if (first >= range.end) return range.end;
  // A broker also goes by the times of commit markers, which are those of the commit: the record
  // that was asked for is there or further on.
  WEIR_TRY(const auto reader, KafkaReader::open_single(context_, partition, first));
  while (reader->position() < range.end) {
    WEIR_TRY(const auto records, reader->fetch({}));
    for (const Record& record : records) {
      if (record.offset >= range.end) return range.end;
      if (record.timestamp_ms >= timestamp_ms) return record.offset;
    }
    if (records.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return range.end;
}

Result<std::unique_ptr<Reader>> KafkaLog::open_reader(const TopicPartition& partition,
                                                      std::int64_t offset) {
  if (member_ != nullptr) {
    WEIR_TRY(auto reader, KafkaReader::open_lane(member_, partition, offset));
    if (reader != nullptr) return reader;
  }
  WEIR_CHECK(admin_->find(partition));
  return KafkaReader::open_single(context_, partition, offset);
}

Result<std::unique_ptr<Producer>> KafkaLog::open_producer(std::string_view group,
                                                          std::string_view id) {
  WEIR_CHECK(check_name("the group", group));
  WEIR_CHECK(check_name("the producer", id));
  KafkaProducer::Options options{std::string(group), std::string(id),
                                 context_->options.exactly_once, nullptr};
  if (member_ != nullptr && group == group_) options.member = member_;
  WEIR_TRY(auto producer, KafkaProducer::open(context_, admin_, std::move(options)));
  return std::unique_ptr<Producer>(std::move(producer));
}

Result<std::optional<Mark>> KafkaLog::committed(std::string_view group,
                                                const TopicPartition& input) {
  return admin_->committed(group, input);
}

Result<std::vector<std::int64_t>> KafkaLog::append(std::span<const NewRecord> records) {
  const std::lock_guard lock(append_mutex_);
  if (appender_ == nullptr) {
    WEIR_TRY(appender_,
             KafkaProducer::open(context_, admin_, {"append", random_id(), true, nullptr}));
  }
  auto offsets = appender_->append(records);
  // After an unknown outcome only a new producer can append.
  if (!offsets && offsets.error().code == Errc::unavailable) appender_.reset();
  return offsets;
}

void KafkaLog::wait_for_records(std::chrono::milliseconds timeout) {
  context_->signal.wait(timeout);
}

LogHealth KafkaLog::health() {
  LogHealth out;
  if (auto trouble = context_->health.trouble()) {
    out.reachable = !context_->health.is_unreachable();
    out.trouble = *std::move(trouble);
  }
  context_->figures.report(out);
  return out;
}

std::string KafkaLog::statistics() const { return context_->figures.newest(KafkaRole::consumer); }

}  // namespace weir::host
