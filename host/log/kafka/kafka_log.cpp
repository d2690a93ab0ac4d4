#include "log/kafka/kafka_log.hpp"

#include <array>
#include <random>
#include <thread>
#include <utility>

#include "base/bytes.hpp"
#include "log/kafka/kafka_admin.hpp"
#include "log/kafka/kafka_client.hpp"
#include "log/kafka/kafka_consumer.hpp"
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

/// How a host shows itself to others in its group.
std::string member_client_id(const Membership& membership) {
  return fmt::format("weir-{}-{}", membership.group, membership.host);
}

/// Nobody else is alive in the group. A member of this very state directory is a dead predecessor:
/// the directory's lock is held.
Result<void> check_members(KafkaAdmin& admin, const Membership& membership) {
  const std::string own = member_client_id(membership);
  const std::string app = fmt::format("weir-{}-", membership.group);
  WEIR_TRY(const auto members, admin.members(membership.group));
  for (const std::string& member : members) {
    if (member == own) continue;
    if (member.starts_with(app)) {
      return error(Errc::refused,
                   "another host of app {} is in its group, with the state directory {} (this one "
                   "has {}); stop it first, or wait until its session is over if it was killed",
                   membership.group, member.substr(app.size()), membership.host);
    }
    return error(Errc::refused,
                 "group '{}' has a member that is no host of this app (client.id '{}'); one host "
                 "owns every partition: end it, or give the app another name",
                 membership.group, member);
  }
  return {};
}

/// Asks for no more than is known already: what a killed predecessor left open would be waited for.
/// Only a host that looks as if it did not fit waits, as the newest mark may be in there.
Result<void> check_marks(KafkaAdmin& admin, const Membership& membership,
                         const std::vector<TopicPartition>& inputs) {
  if (!membership.admit) return {};
  WEIR_TRY(const auto marks, admin.decided_marks(membership.group, inputs));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (membership.admit(inputs[i], marks[i])) continue;
    WEIR_TRY(const auto newest, admin.committed(membership.group, inputs[i]));
    WEIR_CHECK(membership.admit(inputs[i], newest));
  }
  return {};
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
  WEIR_CHECK(check_name("the group", membership.group));
  WEIR_CHECK(check_name("the host", membership.host));
  std::vector<TopicPartition> partitions;
  for (const std::string& topic : membership.topics) {
    WEIR_TRY(const auto info, admin_->topic(topic));
    if (!info) return no_such_topic(topic);
    for (std::int32_t i = 0; i < info->partition_count; ++i) partitions.push_back({topic, i});
  }
  WEIR_CHECK(check_members(*admin_, membership));
  WEIR_CHECK(check_marks(*admin_, membership, partitions));
  Membership member = membership;
  member.host = member_client_id(membership);
  WEIR_TRY(member_, KafkaConsumer::open_member(context_, member, "weir-" + membership.group,
                                               std::move(partitions)));
  group_ = membership.group;
  return {};
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
    KafkaLane* const lane = member_->take_lane(partition, offset);
    if (lane != nullptr) {
      return std::unique_ptr<Reader>(std::make_unique<KafkaReader>(member_, *lane, offset));
    }
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
  return out;
}

std::string KafkaLog::statistics() const {
  return member_ == nullptr ? std::string{} : member_->statistics();
}

}  // namespace weir::host
