#include "bench/kafka_client.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <tuple>

#include <fmt/format.h>

namespace weir::host::bench {

namespace {

constexpr int timeout_ms = 30'000;

[[noreturn]] void give_up(const std::string& text) {
  fmt::print(stderr, "bench_kafka: {}\n", text);
  std::exit(1);
}

}  // namespace

void DestroyClient::operator()(rd_kafka_t* client) const {
  if (rd_kafka_type(client) == RD_KAFKA_CONSUMER) rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
}

void kafka_ok(rd_kafka_resp_err_t code, const char* doing) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    give_up(fmt::format("{}: {}", doing, rd_kafka_err2str(code)));
  }
}

void kafka_ok(rd_kafka_error_t* error, const char* doing) {
  if (error != nullptr) give_up(fmt::format("{}: {}", doing, rd_kafka_error_string(error)));
}

Client open_client(rd_kafka_type_t type, const std::string& brokers, const Properties& properties) {
  char text[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const auto set = [&](const std::string& name, const std::string& value) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof text) !=
        RD_KAFKA_CONF_OK) {
      give_up(text);
    }
  };
  set("bootstrap.servers", brokers);
  for (const auto& [name, value] : properties) set(name, value);
  rd_kafka_t* client = rd_kafka_new(type, conf, text, sizeof text);
  if (client == nullptr) give_up(text);
  return Client(client);
}

void make_topic(const std::string& brokers, const std::string& topic, std::int32_t partitions,
                const Properties& properties) {
  const Client client = open_client(RD_KAFKA_PRODUCER, brokers, {});
  rd_kafka_queue_t* answers = rd_kafka_queue_new(client.get());
  char text[512];
  rd_kafka_NewTopic_t* wanted =
      rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, text, sizeof text);
  for (const auto& [name, value] : properties) {
    kafka_ok(rd_kafka_NewTopic_set_config(wanted, name.c_str(), value.c_str()), name.c_str());
  }
  rd_kafka_CreateTopics(client.get(), &wanted, 1, nullptr, answers);
  rd_kafka_event_t* event = rd_kafka_queue_poll(answers, timeout_ms);
  std::size_t count = 0;
  const auto* result = rd_kafka_event_CreateTopics_result(event);
  if (result == nullptr) give_up("cannot create topics: no answer");
  const auto* topics = rd_kafka_CreateTopics_result_topics(result, &count);
  const auto code = rd_kafka_topic_result_error(topics[0]);
  if (code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) kafka_ok(code, "create a topic");
  rd_kafka_event_destroy(event);
  rd_kafka_NewTopic_destroy(wanted);
  rd_kafka_queue_destroy(answers);
}

void produce(rd_kafka_t* producer, const std::string& topic, const KeyValue& record) {
  while (true) {
    const auto code = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(topic.c_str()),
        RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(record.value.data()), record.value.size()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return kafka_ok(code, "produce a record");
    rd_kafka_poll(producer, 10);
  }
}

std::pair<std::int64_t, std::int64_t> ends_of(rd_kafka_t* client, const std::string& topic,
                                              std::int32_t partition) {
  std::pair<std::int64_t, std::int64_t> ends;
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (int i = 0; i < 100; ++i) {
    code = rd_kafka_query_watermark_offsets(client, topic.c_str(), partition, &ends.first,
                                            &ends.second, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return ends;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  kafka_ok(code, "ask for the ends");
  return ends;
}

TopicReader::TopicReader(const std::string& brokers, const std::string& topic,
                         std::int32_t partitions)
    // A large queue keeps the fetcher from sleeping while the loop works.
    : topic_(topic),
      client_(open_client(RD_KAFKA_CONSUMER, brokers,
                          {{"group.id", topic + "-by-hand"},
                           {"enable.auto.commit", "false"},
                           {"enable.auto.offset.store", "false"},
                           {"isolation.level", "read_committed"},
                           {"auto.offset.reset", "error"},
                           {"fetch.wait.max.ms", "20"},
                           {"queued.min.messages", "1000000"},
                           {"queued.max.messages.kbytes", "131072"}})) {
  for (std::int32_t p = 0; p < partitions; ++p) {
    PartitionQueue& one = partitions_.emplace_back();
    one.partition = p;
    std::tie(one.next, one.end) = ends_of(client_.get(), topic, p);
    one.queue = rd_kafka_queue_get_partition(client_.get(), topic.c_str(), p);
    rd_kafka_queue_forward(one.queue, nullptr);
  }
}

void TopicReader::start() {
  rd_kafka_topic_partition_list_t* list =
      rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size()));
  for (const PartitionQueue& one : partitions_) {
    rd_kafka_topic_partition_list_add(list, topic_.c_str(), one.partition)->offset = one.next;
  }
  kafka_ok(rd_kafka_assign(client_.get(), list), "assign partitions");
  rd_kafka_topic_partition_list_destroy(list);
}

TopicReader::~TopicReader() {
  for (const PartitionQueue& one : partitions_) rd_kafka_queue_destroy(one.queue);
}

std::size_t read_some(PartitionQueue& from,
                      const std::function<void(std::span<rd_kafka_message_t*>)>& visit) {
  std::array<rd_kafka_message_t*, 1000> messages;
  const ssize_t found =
      rd_kafka_consume_batch_queue(from.queue, 0, messages.data(), messages.size());
  if (found <= 0) return 0;
  const std::span<rd_kafka_message_t*> all(messages.data(), static_cast<std::size_t>(found));
  for (const rd_kafka_message_t* message : all) kafka_ok(message->err, "read a record");
  visit(all);
  from.next = all.back()->offset + 1;
  for (rd_kafka_message_t* message : all) rd_kafka_message_destroy(message);
  return all.size();
}

}  // namespace weir::host::bench
