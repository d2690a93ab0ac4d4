#include "log/kafka/kafka_admin.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "log/kafka/kafka_error.hpp"
#include "log/rules.hpp"

namespace weir::host {
namespace {

/// How long one question about a group may take before it is asked again.
constexpr auto describe_time = std::chrono::seconds(2);

using AdminOptions =
    std::unique_ptr<rd_kafka_AdminOptions_t, KafkaDestroy<rd_kafka_AdminOptions_destroy>>;
using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, KafkaDestroy<rd_kafka_NewTopic_destroy>>;
using ConfigResource =
    std::unique_ptr<rd_kafka_ConfigResource_t, KafkaDestroy<rd_kafka_ConfigResource_destroy>>;

/// What a question for marks makes of those in a transaction that is still open.
constexpr const char* pending_waits = "read_committed";
constexpr const char* pending_is_passed_over = "read_uncommitted";

/// Enough for a broker that answers, with the connection to it.
constexpr std::chrono::milliseconds first_step{500};

AdminOptions admin_options(rd_kafka_t* client, rd_kafka_admin_op_t operation,
                           std::chrono::milliseconds timeout) {
  AdminOptions out(rd_kafka_AdminOptions_new(client, operation));
  std::array<char, 256> text{};
  rd_kafka_AdminOptions_set_request_timeout(out.get(), to_int(timeout), text.data(), text.size());
  return out;
}

bool is_internal(std::string_view topic) { return topic.starts_with("__"); }

KafkaPartitions one_partition(const TopicPartition& partition, std::int64_t offset) {
  KafkaPartitions out(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(out.get(), partition.topic.c_str(), partition.partition)
      ->offset = offset;
  return out;
}

/// The failure of an Admin call as a whole; its single results have errors of their own.
Result<void> check_event(const KafkaEvent& event, std::string_view what) {
  const rd_kafka_resp_err_t code = rd_kafka_event_error(event.get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  const char* detail = rd_kafka_event_error_string(event.get());
  return kafka_error(code, what, detail == nullptr ? "" : detail);
}

/// A partition that was found a moment ago is unknown to a client whose broker has just come back.
bool is_transient_of_found(rd_kafka_resp_err_t code) {
  return is_transient(code) || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
         code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
         code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

/// Asks again while the answer is one that goes away by itself: a topic that was just made has no
/// leader yet, a coordinator moves.
template <typename Ask>
rd_kafka_resp_err_t until_answered(const KafkaContext& context, Ask ask,
                                   bool (*goes_away)(rd_kafka_resp_err_t) = is_transient) {
  const auto deadline = std::chrono::steady_clock::now() + context.options.patience;
  while (true) {
    const rd_kafka_resp_err_t code = ask();
    if (!goes_away(code) || std::chrono::steady_clock::now() > deadline) return code;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// What an event says of the one group that was asked about; null: nothing.
const rd_kafka_ConsumerGroupDescription_t* group_of(const KafkaEvent& event) {
  std::size_t count = 0;
  const rd_kafka_ConsumerGroupDescription_t** groups =
      rd_kafka_DescribeConsumerGroups_result_groups(
          rd_kafka_event_DescribeConsumerGroups_result(event.get()), &count);
  return count == 0 ? nullptr : groups[0];
}

/// Asks once about a group. The failure: of the question, or of the group.
rd_kafka_resp_err_t describe_group(rd_kafka_t* client, const std::string& group,
                                   std::chrono::milliseconds patience, KafkaEvent& event) {
  const auto options = admin_options(client, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, patience);
  const KafkaQueue queue(rd_kafka_queue_new(client));
  const char* name = group.c_str();
  rd_kafka_DescribeConsumerGroups(client, &name, 1, options.get(), queue.get());
  event.reset(rd_kafka_queue_poll(queue.get(), to_int(patience + std::chrono::seconds(5))));
  if (event == nullptr) return RD_KAFKA_RESP_ERR__TIMED_OUT;
  const rd_kafka_resp_err_t code = rd_kafka_event_error(event.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
  const rd_kafka_ConsumerGroupDescription_t* found = group_of(event);
  if (found == nullptr) return RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND;
  const rd_kafka_error_t* failure = rd_kafka_ConsumerGroupDescription_error(found);
  return failure == nullptr ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(failure);
}

/// The failure of a call about one partition: its own, or the partition's.
rd_kafka_resp_err_t failure_of(rd_kafka_resp_err_t code, const rd_kafka_topic_partition_t& answer) {
  return code != RD_KAFKA_RESP_ERR_NO_ERROR ? code : answer.err;
}

/// What a question for the mark of `input` was answered with.
Result<std::optional<Mark>> mark_of(std::string_view group, const TopicPartition& input,
                                    rd_kafka_resp_err_t failure,
                                    const rd_kafka_topic_partition_t& answer) {
  if (failure == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return std::optional<Mark>{};
  if (failure != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return kafka_error(failure, fmt::format("the mark of group '{}' in topic '{}' partition {}",
                                            group, input.topic, input.partition));
  }
  if (answer.offset < 0) return std::optional<Mark>{};
  Mark mark{input, answer.offset, {}};
  if (answer.metadata != nullptr) {
    mark.metadata.assign(static_cast<const char*>(answer.metadata), answer.metadata_size);
  }
  return std::optional(std::move(mark));
}

}  // namespace

KafkaPartitions to_kafka(std::span<const Mark> marks) {
  KafkaPartitions out(rd_kafka_topic_partition_list_new(static_cast<int>(marks.size())));
  for (const Mark& mark : marks) {
    rd_kafka_topic_partition_t* const to = rd_kafka_topic_partition_list_add(
        out.get(), mark.input.topic.c_str(), mark.input.partition);
    to->offset = mark.next_offset;
    if (mark.metadata.empty()) continue;
    to->metadata = ::strndup(mark.metadata.data(), mark.metadata.size());  // the list frees it
    to->metadata_size = mark.metadata.size();
  }
  return out;
}

KafkaAdmin::KafkaAdmin(std::shared_ptr<KafkaContext> context) : context_(std::move(context)) {}

Result<std::unique_ptr<KafkaAdmin>> KafkaAdmin::open(std::shared_ptr<KafkaContext> context) {
  std::unique_ptr<KafkaAdmin> self(new KafkaAdmin(std::move(context)));
  WEIR_TRY(self->client_, KafkaClient::open(self->context_, KafkaRole::consumer,
                                            {{"isolation.level", "read_committed"},
                                             {"allow.auto.create.topics", "false"},
                                             {"enable.auto.commit", "false"}}));
  return self;
}

Result<KafkaMetadata> KafkaAdmin::metadata(const char* topic) {
  KafkaTopic only;
  if (topic != nullptr) only.reset(rd_kafka_topic_new(client_->handle(), topic, nullptr));
  // librdkafka tries again until the time is up whatever a broker says: so it is asked in steps,
  // and not again when a broker wants other credentials.
  const auto deadline = std::chrono::steady_clock::now() + context_->options.patience;
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
  rd_kafka_resp_err_t cause = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (auto step = first_step; is_transient(code) && !is_kept_out(cause); step *= 2) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    const rd_kafka_metadata_t* answer = nullptr;
    code = rd_kafka_metadata(client_->handle(), topic == nullptr ? 1 : 0, only.get(), &answer,
                             to_int(std::min(step, left)));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      context_->health.good();
      return KafkaMetadata(answer);
    }
    rd_kafka_poll(client_->handle(), 0);  // lets the client tell what kept it from a broker
    cause = context_->health.cause();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const std::string what = topic == nullptr ? "topics" : fmt::format("topic '{}'", topic);
  return kafka_error(is_kept_out(cause) ? cause : code,
                     fmt::format("no broker of {} told about {}", context_->options.brokers, what),
                     context_->health.trouble().value_or(""));
}

Result<std::optional<TopicInfo>> KafkaAdmin::topic(std::string_view name) {
  if (!check_topic_name(name)) return std::optional<TopicInfo>{};
  const std::string topic(name);
  WEIR_TRY(const KafkaMetadata answer, metadata(topic.c_str()));
  for (int i = 0; i < answer->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& found = answer->topics[i];
    if (name != found.topic) continue;
    if (found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return std::optional<TopicInfo>{};
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR && found.partition_cnt == 0) {
      return kafka_error(found.err, fmt::format("topic '{}'", name));
    }
    return std::optional(TopicInfo{topic, found.partition_cnt, {}});
  }
  return std::optional<TopicInfo>{};
}

Result<std::vector<TopicInfo>> KafkaAdmin::topics() {
  WEIR_TRY(const KafkaMetadata answer, metadata(nullptr));
  std::vector<TopicInfo> out;
  for (int i = 0; i < answer->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& found = answer->topics[i];
    if (!is_internal(found.topic)) out.push_back({found.topic, found.partition_cnt, {}});
  }
  std::sort(out.begin(), out.end(),
            [](const TopicInfo& a, const TopicInfo& b) { return a.name < b.name; });
  return out;
}

Result<KafkaEvent> KafkaAdmin::wait_for(KafkaQueue queue, std::string_view what) const {
  // The broker's answer, or librdkafka's own timeout a moment later.
  const auto longest = context_->options.patience + std::chrono::seconds(5);
  KafkaEvent event(rd_kafka_queue_poll(queue.get(), to_int(longest)));
  if (event == nullptr) return kafka_error(RD_KAFKA_RESP_ERR__TIMED_OUT, what);
  WEIR_CHECK(check_event(event, what));
  return event;
}

Result<void> KafkaAdmin::create_topic(std::string_view name, std::int32_t partition_count) {
  WEIR_CHECK(check_topic_name(name));
  WEIR_CHECK(check_partition_count(name, partition_count));
  const std::string topic_name(name);
  const std::string what = fmt::format("topic '{}' could not be made", name);
  std::array<char, 512> text{};
  const NewTopic wanted(rd_kafka_NewTopic_new(topic_name.c_str(), partition_count,
                                              context_->options.replication, text.data(),
                                              text.size()));
  if (wanted == nullptr) return error(Errc::invalid, "{}: {}", what, text.data());
  for (const auto& [key, value] : context_->options.topic_config) {
    rd_kafka_NewTopic_set_config(wanted.get(), key.c_str(), value.c_str());
  }
  rd_kafka_t* const client = client_->handle();
  const auto options =
      admin_options(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, context_->options.patience);
  KafkaQueue queue(rd_kafka_queue_new(client));
  rd_kafka_NewTopic_t* one = wanted.get();
  rd_kafka_CreateTopics(client, &one, 1, options.get(), queue.get());
  WEIR_TRY(const KafkaEvent event, wait_for(std::move(queue), what));

  std::size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  const rd_kafka_resp_err_t code =
      count == 0 ? RD_KAFKA_RESP_ERR_UNKNOWN : rd_kafka_topic_result_error(results[0]);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
    const char* detail = count == 0 ? nullptr : rd_kafka_topic_result_error_string(results[0]);
    return kafka_error(code, what, detail == nullptr ? "" : detail);
  }
  // Other brokers learn of a new topic a moment later.
  const auto deadline = std::chrono::steady_clock::now() + context_->options.patience;
  while (true) {
    WEIR_TRY(const auto found, topic(name));
    if (found && found->partition_count == partition_count) return {};
    if (found && found->partition_count > 0) {
      return other_partition_count(name, found->partition_count, partition_count);
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return error(Errc::unavailable, "topic '{}' was made, but no broker knows it yet", name);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Result<TopicInfo> KafkaAdmin::find(const TopicPartition& partition) {
  WEIR_TRY(auto found, topic(partition.topic));
  if (!found) return no_such_topic(partition.topic);
  if (partition.partition < 0 || partition.partition >= found->partition_count) {
    return no_such_partition(partition.topic, partition.partition, found->partition_count);
  }
  return *std::move(found);
}

Result<OffsetRange> KafkaAdmin::offsets(const TopicPartition& partition) {
  WEIR_CHECK(find(partition));
  OffsetRange out;
  const auto ask = [&] {
    return rd_kafka_query_watermark_offsets(client_->handle(), partition.topic.c_str(),
                                            partition.partition, &out.begin, &out.end,
                                            to_int(context_->options.patience));
  };
  const rd_kafka_resp_err_t code = until_answered(*context_, ask, is_transient_of_found);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return out;
  return kafka_error(code, fmt::format("the offsets of topic '{}' partition {}", partition.topic,
                                       partition.partition));
}

Result<std::int64_t> KafkaAdmin::first_offset_at(const TopicPartition& partition,
                                                 std::int64_t timestamp_ms,
                                                 const OffsetRange& range) {
  const KafkaPartitions asked = one_partition(partition, timestamp_ms);
  const rd_kafka_topic_partition_t& answer = asked->elems[0];
  const rd_kafka_resp_err_t failure = until_answered(*context_, [&] {
    asked->elems[0].offset = timestamp_ms;
    return failure_of(rd_kafka_offsets_for_times(client_->handle(), asked.get(),
                                                 to_int(context_->options.patience)),
                      asked->elems[0]);
  });
  if (failure != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return kafka_error(failure, fmt::format("the offset of a time in topic '{}' partition {}",
                                            partition.topic, partition.partition));
  }
  return answer.offset < 0 ? range.end : std::min(answer.offset, range.end);
}

Result<rd_kafka_t*> KafkaAdmin::observer(std::string_view group, const char* isolation) {
  const std::lock_guard lock(mutex_);
  const std::pair<std::string, std::string> key(group, isolation);
  const auto found = observers_.find(key);
  if (found != observers_.end()) return found->second->handle();
  WEIR_TRY(auto made, KafkaClient::open(context_, KafkaRole::consumer,
                                        {{"group.id", std::string(group)},
                                         {"isolation.level", isolation},
                                         {"allow.auto.create.topics", "false"},
                                         {"enable.auto.commit", "false"}}));
  rd_kafka_t* const handle = made->handle();
  observers_.emplace(key, std::move(made));
  return handle;
}

Result<std::optional<Mark>> KafkaAdmin::committed(std::string_view group,
                                                  const TopicPartition& input) {
  WEIR_CHECK(check_name("the group", group));
  WEIR_TRY(rd_kafka_t* const client, observer(group, pending_waits));
  const KafkaPartitions asked = one_partition(input, RD_KAFKA_OFFSET_INVALID);
  const rd_kafka_resp_err_t failure = until_answered(*context_, [&] {
    return failure_of(rd_kafka_committed(client, asked.get(), to_int(context_->options.patience)),
                      asked->elems[0]);
  });
  return mark_of(group, input, failure, asked->elems[0]);
}

Result<std::vector<std::optional<Mark>>> KafkaAdmin::decided_marks(
    std::string_view group, std::span<const TopicPartition> inputs) {
  WEIR_TRY(rd_kafka_t* const client, observer(group, pending_is_passed_over));
  const KafkaPartitions asked(rd_kafka_topic_partition_list_new(static_cast<int>(inputs.size())));
  for (const TopicPartition& input : inputs) {
    rd_kafka_topic_partition_list_add(asked.get(), input.topic.c_str(), input.partition);
  }
  const rd_kafka_resp_err_t failure = until_answered(*context_, [&] {
    return rd_kafka_committed(client, asked.get(), to_int(context_->options.patience));
  });
  std::vector<std::optional<Mark>> out(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const rd_kafka_topic_partition_t& answer = asked->elems[i];
    WEIR_TRY(out[i], mark_of(group, inputs[i], failure_of(failure, answer), answer));
  }
  return out;
}

Result<void> KafkaAdmin::commit(std::string_view group, std::span<const Mark> marks) {
  WEIR_TRY(rd_kafka_t* const client, observer(group, pending_waits));
  const KafkaPartitions offsets = to_kafka(marks);
  const rd_kafka_resp_err_t code = until_answered(
      *context_, [&] { return rd_kafka_commit(client, offsets.get(), /*async=*/0); });
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return kafka_error(code, fmt::format("the marks of group '{}'", group));
}

rd_kafka_resp_err_t KafkaAdmin::describe(rd_kafka_t* client, const std::string& group,
                                         KafkaEvent& event) const {
  // librdkafka may wait in vain for a coordinator that did not exist when it asked first.
  const auto once = std::min<std::chrono::milliseconds>(context_->options.patience, describe_time);
  return until_answered(*context_, [&] { return describe_group(client, group, once, event); });
}

Result<void> KafkaAdmin::find_coordinator(const KafkaClient& client, const std::string& group) {
  KafkaEvent event;
  const rd_kafka_resp_err_t failure = describe(client.handle(), group, event);
  if (failure == RD_KAFKA_RESP_ERR_NO_ERROR || failure == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) {
    return {};
  }
  return kafka_error(failure, fmt::format("the coordinator of group '{}'", group));
}

Result<std::vector<KafkaGroupMember>> KafkaAdmin::members(const std::string& group) {
  KafkaEvent event;
  const rd_kafka_resp_err_t failure = describe(client_->handle(), group, event);
  std::vector<KafkaGroupMember> out;
  if (failure == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) return out;
  if (failure != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return kafka_error(failure, fmt::format("the members of group '{}'", group));
  }
  const rd_kafka_ConsumerGroupDescription_t& found = *group_of(event);
  const std::size_t count = rd_kafka_ConsumerGroupDescription_member_count(&found);
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_MemberDescription_t* member =
        rd_kafka_ConsumerGroupDescription_member(&found, i);
    const char* instance = rd_kafka_MemberDescription_group_instance_id(member);
    out.push_back({rd_kafka_MemberDescription_client_id(member),
                   instance == nullptr ? "" : instance, rd_kafka_MemberDescription_host(member)});
  }
  return out;
}

std::optional<std::string> KafkaAdmin::size_limit(const std::string& topic) {
  rd_kafka_t* const client = client_->handle();
  const auto options =
      admin_options(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, context_->options.patience);
  KafkaQueue queue(rd_kafka_queue_new(client));
  const ConfigResource asked(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  rd_kafka_ConfigResource_t* one = asked.get();
  rd_kafka_DescribeConfigs(client, &one, 1, options.get(), queue.get());
  const auto event = wait_for(std::move(queue), "the topic's configuration");
  if (!event) return std::nullopt;
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** resources = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t entries = 0;
    const rd_kafka_ConfigEntry_t** configs =
        rd_kafka_ConfigResource_configs(resources[i], &entries);
    for (std::size_t e = 0; e < entries; ++e) {
      if (std::strcmp(rd_kafka_ConfigEntry_name(configs[e]), "max.message.bytes") != 0) continue;
      const char* value = rd_kafka_ConfigEntry_value(configs[e]);
      if (value != nullptr) return std::string(value);
    }
  }
  return std::nullopt;
}

}  // namespace weir::host
