#include "log/kafka/kafka_consumer.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>
#include <utility>

#include "log/kafka/kafka_admin.hpp"
#include "log/kafka/kafka_error.hpp"

namespace weir::host {
namespace {

using namespace std::chrono_literals;

/// How often hungry partitions wake their leaders' threads.
constexpr auto wake_interval = 3ms;
constexpr auto wake_timeout = 1s;
constexpr auto leaders_valid = 30s;

KafkaProperties consumer_properties() {
  return {{"enable.auto.commit", "false"},      {"enable.auto.offset.store", "false"},
          {"auto.offset.reset", "error"},       {"isolation.level", "read_committed"},
          {"enable.partition.eof", "true"},     {"partition.assignment.strategy", "range"},
          {"allow.auto.create.topics", "false"}};
}

}  // namespace

Result<std::shared_ptr<KafkaConsumer>> KafkaConsumer::open_single(
    std::shared_ptr<KafkaContext> context, const TopicPartition& partition) {
  std::shared_ptr<KafkaConsumer> self(new KafkaConsumer);
  KafkaProperties fixed = consumer_properties();
  fixed.emplace("group.id", context->options.client_id);  // librdkafka wants one; never joined
  WEIR_CHECK(self->open(std::move(context), fixed, {partition}));
  return self;
}

Result<std::shared_ptr<KafkaConsumer>> KafkaConsumer::open_member(
    std::shared_ptr<KafkaContext> context, const Membership& membership,
    const std::string& instance, std::vector<TopicPartition> partitions, std::stop_token stop) {
  std::shared_ptr<KafkaConsumer> self(new KafkaConsumer);
  self->is_member_ = true;
  self->group_ = membership.group;
  KafkaProperties fixed = consumer_properties();
  fixed.emplace("group.id", membership.group);
  fixed.emplace("group.instance.id", instance);
  fixed.emplace("client.id", membership.host);
  fixed.emplace("session.timeout.ms", std::to_string(context->options.session_timeout.count()));
  WEIR_CHECK(self->open(std::move(context), fixed, std::move(partitions)));
  WEIR_CHECK(self->subscribe(membership, stop));
  return self;
}

Result<void> KafkaConsumer::open(std::shared_ptr<KafkaContext> context,
                                 const KafkaProperties& fixed,
                                 std::vector<TopicPartition> partitions) {
  KafkaClient::Callbacks callbacks;
  callbacks.rebalanced = [this](rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t* list) {
    on_rebalance(event, list);
  };
  callbacks.has_figures = is_member_;
  WEIR_TRY(client_,
           KafkaClient::open(std::move(context), KafkaRole::consumer, fixed, std::move(callbacks)));
  rd_kafka_t* const client = client_->handle();
  rd_kafka_poll_set_consumer(client);
  events_.reset(rd_kafka_queue_get_consumer(client));
  rd_kafka_queue_cb_event_enable(
      events_.get(),
      [](rd_kafka_t*, void* opaque) {
        auto* const self = static_cast<KafkaConsumer*>(opaque);
        {
          const std::lock_guard lock(self->events_mutex_);
          self->has_events_ = true;
        }
        self->events_changed_.notify_all();
      },
      this);
  for (TopicPartition& partition : partitions) {
    auto lane = std::make_unique<KafkaLane>();
    lane->queue.reset(
        rd_kafka_queue_get_partition(client, partition.topic.c_str(), partition.partition));
    lane->partition = std::move(partition);
    rd_kafka_queue_forward(lane->queue.get(), nullptr);
    rd_kafka_queue_cb_event_enable(
        lane->queue.get(),
        [](rd_kafka_t*, void* opaque) { static_cast<KafkaContext*>(opaque)->signal.notify(); },
        &client_->context());
    lanes_.push_back(std::move(lane));
  }
  const auto property = [&](const char* name) {
    std::array<char, 32> text{};
    std::size_t size = text.size();
    rd_kafka_conf_get(rd_kafka_conf(client), name, text.data(), &size);
    return std::strtoull(text.data(), nullptr, 10);
  };
  queued_messages_low_ = property("queued.min.messages") / 2;
  queued_bytes_low_ = property("queued.max.messages.kbytes") * 1024 / 2;
  thread_ = std::thread([this] { run(); });
  return {};
}

Result<void> KafkaConsumer::subscribe(const Membership& membership, const std::stop_token& stop) {
  rd_kafka_t* const client = client_->handle();
  const KafkaPartitions topics(
      rd_kafka_topic_partition_list_new(static_cast<int>(membership.topics.size())));
  for (const std::string& topic : membership.topics) {
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const auto longest = context().options.patience + context().options.session_timeout;
  while (true) {
    if (const auto code = rd_kafka_subscribe(client, topics.get());
        code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return kafka_error(code, fmt::format("group '{}' could not be joined", group_));
    }
    std::unique_lock lock(mutex_);
    const auto is_decided = [&] { return is_granted_ || error_ || is_outdated_; };
    if (!changed_.wait_for(lock, stop, longest, is_decided)) break;
    if (error_ && is_fenced()) return error(Errc::unavailable, "{}", error_->message);
    if (error_) return *error_;
    if (!is_outdated_) return {};
    is_outdated_ = false;
    lock.unlock();
    rd_kafka_unsubscribe(client);  // leaves the group, so that the next joining is a new one
  }
  return error(Errc::unavailable, "group '{}' gave this host nothing to read within {} s; {}",
               group_, std::chrono::duration_cast<std::chrono::seconds>(longest).count(),
               context().health.trouble().value_or("the broker's log may say why"));
}

KafkaConsumer::~KafkaConsumer() {
  {
    const std::lock_guard lock(events_mutex_);
    stopping_ = true;
  }
  events_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  if (client_ == nullptr) return;
  for (const auto& lane : lanes_)
    rd_kafka_queue_cb_event_enable(lane->queue.get(), nullptr, nullptr);
  if (events_ != nullptr) rd_kafka_queue_cb_event_enable(events_.get(), nullptr, nullptr);
  rd_kafka_consumer_close(client_->handle());
  lanes_.clear();  // their queues are the client's
  events_.reset();
  if (topic_is_gone_) {
    // librdkafka 2.0.2 waits for ever for the partitions of a topic that was deleted while it was
    // assigned. The process is about to end, and ends it too.
    rd_kafka_set_log_level(client_->handle(), 0);
    static_cast<void>(client_.release());
  }
}

KafkaLane* KafkaConsumer::take_lane(const TopicPartition& partition, std::int64_t offset) {
  const auto found = std::find_if(lanes_.begin(), lanes_.end(),
                                  [&](const auto& lane) { return lane->partition == partition; });
  if (found == lanes_.end()) return nullptr;
  const std::lock_guard lock(mutex_);
  KafkaLane& lane = **found;
  if (lane.has_reader) return nullptr;
  lane.has_reader = true;
  lane.position = offset;
  lane.is_started = false;
  return &lane;
}

void KafkaConsumer::leave_lane(KafkaLane& lane) {
  const std::lock_guard lock(mutex_);
  lane.has_reader = false;
  lane.is_hungry = false;
}

Result<void> KafkaConsumer::start_lanes() {
  const std::lock_guard lock(mutex_);
  for (const auto& lane : lanes_) lane->is_started = lane->has_reader;
  if (!is_member_ || is_granted_) assign_lanes();
  if (error_) return *error_;
  return {};
}

void KafkaConsumer::assign_lanes() {
  const KafkaPartitions list(rd_kafka_topic_partition_list_new(static_cast<int>(lanes_.size())));
  for (const auto& lane : lanes_) {
    if (!lane->has_reader || !lane->is_started) continue;
    rd_kafka_topic_partition_list_add(list.get(), lane->partition.topic.c_str(),
                                      lane->partition.partition)
        ->offset = lane->position;
  }
  const rd_kafka_resp_err_t code = rd_kafka_assign(client_->handle(), list.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) refuse(kafka_error(code, "partitions were not assigned"));
}

void KafkaConsumer::on_rebalance(rd_kafka_resp_err_t event,
                                 rd_kafka_topic_partition_list_t* partitions) {
  {
    const std::lock_guard lock(mutex_);
    if (event != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS || is_closing_) {
      is_granted_ = false;
      rd_kafka_assign(client_->handle(), nullptr);
      // Why the group is out of reach says more.
      if (!is_closing_ && !context().health.is_unreachable()) {
        context().health.bad(fmt::format("group '{}' is being rebalanced", group_));
      }
      return;
    }
    std::set<TopicPartition> given;
    for (int i = 0; i < partitions->cnt; ++i) {
      given.insert({partitions->elems[i].topic, partitions->elems[i].partition});
    }
    const bool is_first = !std::exchange(was_given_, true);
    const auto missing = std::find_if(lanes_.begin(), lanes_.end(), [&](const auto& lane) {
      return !given.contains(lane->partition);
    });
    if (is_first && (missing != lanes_.end() || given.size() != lanes_.size())) {
      // A static member that comes back is given what it had, also if it asks for other topics.
      is_outdated_ = true;
    } else if (missing != lanes_.end()) {
      refuse(error(Errc::refused,
                   "group '{}' gave this host {} of {} partitions (not topic '{}' partition {}): "
                   "another consumer is in the group, and one host owns all; end it, or give "
                   "one of them another app name",
                   group_, given.size(), lanes_.size(), (*missing)->partition.topic,
                   (*missing)->partition.partition));
    } else if (given.size() > lanes_.size()) {
      refuse(error(
          Errc::refused,
          "the topics of group '{}' have {} partitions, they had {} when this host "
          "started; keys have changed their partition: stop the host, and make the State anew "
          "with weir reset APP.yaml --to earliest --state drop",
          group_, given.size(), lanes_.size()));
    }
    is_granted_ = !error_ && !is_outdated_;
    if (is_granted_) {
      grant_count_.fetch_add(1, std::memory_order_release);
      assign_lanes();
      context().health.good();
    } else if (is_outdated_) {
      assign_lanes();  // none has a reader yet: the answer that lets librdkafka go on
    } else {
      rd_kafka_assign(client_->handle(), nullptr);
    }
  }
  changed_.notify_all();
  context().signal.notify();
}

void KafkaConsumer::refuse(Error error) {
  if (!error_) error_ = std::move(error);
  is_refused_.store(true, std::memory_order_release);
}

Result<void> KafkaConsumer::refusal() const {
  const std::lock_guard lock(mutex_);
  return *error_;
}

Result<KafkaMembership> KafkaConsumer::membership() const {
  if (is_fenced()) return error(Errc::unavailable, "group '{}' gave its place away", group_);
  WEIR_CHECK(check());
  {
    const std::lock_guard lock(mutex_);
    if (!is_granted_) {
      return error(Errc::unavailable, "group '{}' is being rebalanced", group_);
    }
  }
  // Without a member id and a generation the coordinator would fence nobody.
  char* member_id = rd_kafka_memberid(client_->handle());
  const bool is_member = member_id != nullptr && *member_id != '\0';
  rd_kafka_mem_free(client_->handle(), member_id);
  if (!is_member) return error(Errc::unavailable, "group '{}' has no such member yet", group_);
  return KafkaMembership(rd_kafka_consumer_group_metadata(client_->handle()));
}

void KafkaConsumer::lane_is_hungry(KafkaLane& lane) {
  if (lane.is_hungry.exchange(true, std::memory_order_relaxed)) return;
  if (rd_kafka_version() >= fetch_queue_backoff_since) return;
  {
    const std::lock_guard lock(events_mutex_);
    has_hungry_ = true;
  }
  events_changed_.notify_all();
}

void KafkaConsumer::run() {
  auto next_wake = std::chrono::steady_clock::now();
  std::unique_lock lock(events_mutex_);
  while (!stopping_) {
    // Without news once a second, so that the group knows that the application lives.
    if (has_hungry_) {
      events_changed_.wait_until(lock, next_wake, [&] { return stopping_ || has_events_; });
    } else {
      events_changed_.wait_for(lock, 1s, [&] { return stopping_ || has_events_ || has_hungry_; });
    }
    if (stopping_) break;
    has_events_ = false;
    lock.unlock();
    serve_events();
    if (std::chrono::steady_clock::now() >= next_wake) {
      wake_leaders();
      next_wake = std::chrono::steady_clock::now() + wake_interval;
    }
    const bool has_hungry = std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
      return lane->is_hungry.load(std::memory_order_relaxed);
    });
    lock.lock();
    has_hungry_ = has_hungry;
  }
}

OffsetRange KafkaConsumer::watermarks(const TopicPartition& partition) const {
  OffsetRange out;
  rd_kafka_query_watermark_offsets(client_->handle(), partition.topic.c_str(), partition.partition,
                                   &out.begin, &out.end, to_int(wake_timeout));
  return out;
}

Result<void> KafkaConsumer::commit(std::span<const Mark> marks) {
  WEIR_CHECK(check());
  const KafkaPartitions offsets = to_kafka(marks);
  const rd_kafka_resp_err_t code = rd_kafka_commit(client_->handle(), offsets.get(), /*async=*/0);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  if (is_membership_lost(code)) {
    return error(Errc::unavailable, "the marks of group '{}': {}", group_, rd_kafka_err2str(code));
  }
  return kafka_error(code, fmt::format("the marks of group '{}'", group_));
}

void KafkaConsumer::serve_events() {
  while (const KafkaMessage event{rd_kafka_consumer_poll(client_->handle(), 0)}) {
    if (event->err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    context().health.bad(rd_kafka_message_errstr(event.get()));
    if (is_member_ && event->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) look_for_topics();
  }
  if (is_refused_.load(std::memory_order_relaxed)) return;
  if (auto fatal = client_->fatal()) {
    {
      const std::lock_guard lock(mutex_);
      if (is_member_ && fatal->code == Errc::refused) is_fenced_.store(true);
      refuse(*std::move(fatal));
    }
    changed_.notify_all();
    context().signal.notify();
  }
}

std::set<std::string> KafkaConsumer::topics() const {
  std::set<std::string> out;
  for (const auto& lane : lanes_) out.insert(lane->partition.topic);
  return out;
}

KafkaMetadata KafkaConsumer::metadata_of(const std::string& topic) const {
  const KafkaTopic handle(rd_kafka_topic_new(client_->handle(), topic.c_str(), nullptr));
  const rd_kafka_metadata_t* answer = nullptr;
  const auto code =
      rd_kafka_metadata(client_->handle(), 0, handle.get(), &answer, to_int(wake_timeout));
  return KafkaMetadata(code == RD_KAFKA_RESP_ERR_NO_ERROR ? answer : nullptr);
}

void KafkaConsumer::look_for_topics() {
  for (const std::string& topic : topics()) {
    const KafkaMetadata metadata = metadata_of(topic);
    if (metadata == nullptr || metadata->topic_cnt != 1) continue;
    if (metadata->topics[0].err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) continue;
    {
      const std::lock_guard lock(mutex_);
      refuse(error(Errc::refused,
                   "topic '{}' is gone: it was deleted while this host was reading it; make it "
                   "again, and the next start says how to go on",
                   topic));
      topic_is_gone_ = true;
    }
    changed_.notify_all();
    context().signal.notify();
    return;
  }
}

void KafkaConsumer::wake_leaders() {
  std::set<std::int32_t> woken;
  for (const auto& lane : lanes_) {
    if (!lane->is_hungry.load(std::memory_order_relaxed)) continue;
    if (std::chrono::steady_clock::now() - leaders_found_at_ > leaders_valid) find_leaders();
    if (!woken.insert(leader_of(lane->partition)).second) continue;
    watermarks(lane->partition);
  }
}

void KafkaConsumer::find_leaders() {
  leaders_found_at_ = std::chrono::steady_clock::now();
  std::vector<std::pair<TopicPartition, std::int32_t>> found;
  for (const std::string& topic : topics()) {
    const KafkaMetadata metadata = metadata_of(topic);
    if (metadata == nullptr) continue;
    for (int t = 0; t < metadata->topic_cnt; ++t) {
      for (int p = 0; p < metadata->topics[t].partition_cnt; ++p) {
        const rd_kafka_metadata_partition_t& partition = metadata->topics[t].partitions[p];
        found.push_back({{metadata->topics[t].topic, partition.id}, partition.leader});
      }
    }
  }
  if (!found.empty()) leaders_ = std::move(found);
}

std::int32_t KafkaConsumer::leader_of(const TopicPartition& partition) const {
  const auto found = std::find_if(leaders_.begin(), leaders_.end(),
                                  [&](const auto& one) { return one.first == partition; });
  return found == leaders_.end() ? -1 : found->second;
}

}  // namespace weir::host
