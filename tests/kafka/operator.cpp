// What an operator's tools do to a Kafka, without their second of start, and none of Weir's code:
//
//   operator BOOTSTRAP create TOPIC PARTITIONS
//                      partitions TOPIC PARTITIONS        more than it has
//                      delete TOPIC
//                      delete-records TOPIC PARTITION OFFSET   those before the offset
//                      set-offset GROUP TOPIC PARTITION OFFSET
//                      delete-offsets GROUP TOPIC PARTITIONS
//
// Exits with 0 when the brokers have done it, with 1 and the reason when they have not.
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int answer_ms = 30'000;

void check(rd_kafka_resp_err_t code, const char* text = nullptr) {
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  throw std::runtime_error(text == nullptr ? rd_kafka_err2str(code) : text);
}

class Operator {
 public:
  explicit Operator(const char* servers) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char error[512] = "";
    rd_kafka_conf_set(conf, "bootstrap.servers", servers, error, sizeof error);
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (client_ == nullptr) throw std::runtime_error(error);
    queue_ = rd_kafka_queue_new(client_);
  }
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;
  ~Operator() {
    rd_kafka_queue_destroy(queue_);
    rd_kafka_destroy(client_);
  }

  void obey(const std::vector<std::string>& words) {
    const std::string& order = words.at(0);
    if (order == "create") {
      create(words.at(1), std::stoi(words.at(2)));
    } else if (order == "partitions") {
      grow(words.at(1), std::stoul(words.at(2)));
    } else if (order == "delete") {
      remove(words.at(1));
    } else if (order == "delete-records") {
      delete_records(words.at(1), std::stoi(words.at(2)), std::stoll(words.at(3)));
    } else if (order == "set-offset") {
      set_offset(words.at(1), words.at(2), std::stoi(words.at(3)), std::stoll(words.at(4)));
    } else if (order == "delete-offsets") {
      delete_offsets(words.at(1), words.at(2), std::stoi(words.at(3)));
    } else {
      throw std::runtime_error("no such order: " + order);
    }
  }

 private:
  /// The answer to what was asked; its own failure is thrown.
  rd_kafka_event_t* answer() {
    rd_kafka_event_t* event = rd_kafka_queue_poll(queue_, answer_ms);
    if (event == nullptr) throw std::runtime_error("no answer");
    check(rd_kafka_event_error(event), rd_kafka_event_error_string(event));
    return event;
  }

  static void check_topics(const rd_kafka_topic_result_t** results, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      check(rd_kafka_topic_result_error(results[i]),
            rd_kafka_topic_result_error_string(results[i]));
    }
  }

  static void check_partitions(const rd_kafka_topic_partition_list_t* list) {
    for (int i = 0; i < list->cnt; ++i) check(list->elems[i].err);
  }

  void create(const std::string& topic, int partitions) {
    char error[512] = "";
    rd_kafka_NewTopic_t* one =
        rd_kafka_NewTopic_new(topic.c_str(), partitions, -1, error, sizeof error);
    rd_kafka_CreateTopics(client_, &one, 1, nullptr, queue_);
    rd_kafka_event_t* event = answer();
    std::size_t count = 0;
    const rd_kafka_topic_result_t** results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    check_topics(results, count);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(one);
  }

  void grow(const std::string& topic, std::size_t partitions) {
    char error[512] = "";
    rd_kafka_NewPartitions_t* one =
        rd_kafka_NewPartitions_new(topic.c_str(), partitions, error, sizeof error);
    rd_kafka_CreatePartitions(client_, &one, 1, nullptr, queue_);
    rd_kafka_event_t* event = answer();
    std::size_t count = 0;
    const rd_kafka_topic_result_t** results = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &count);
    check_topics(results, count);
    rd_kafka_event_destroy(event);
    rd_kafka_NewPartitions_destroy(one);
  }

  void remove(const std::string& topic) {
    rd_kafka_DeleteTopic_t* one = rd_kafka_DeleteTopic_new(topic.c_str());
    rd_kafka_DeleteTopics(client_, &one, 1, nullptr, queue_);
    rd_kafka_event_t* event = answer();
    std::size_t count = 0;
    const rd_kafka_topic_result_t** results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    check_topics(results, count);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(one);
  }

  void delete_records(const std::string& topic, int partition, std::int64_t before) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = before;
    rd_kafka_DeleteRecords_t* one = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(client_, &one, 1, nullptr, queue_);
    rd_kafka_event_t* event = answer();
    check_partitions(
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event)));
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(one);
    rd_kafka_topic_partition_list_destroy(list);
  }

  void set_offset(const std::string& group, const std::string& topic, int partition,
                  std::int64_t offset) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = offset;
    rd_kafka_AlterConsumerGroupOffsets_t* one =
        rd_kafka_AlterConsumerGroupOffsets_new(group.c_str(), list);
    rd_kafka_AlterConsumerGroupOffsets(client_, &one, 1, nullptr, queue_);
    rd_kafka_event_t* event = answer();
    std::size_t count = 0;
    check_groups(rd_kafka_AlterConsumerGroupOffsets_result_groups(
                     rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count),
                 count);
    rd_kafka_event_destroy(event);
    rd_kafka_AlterConsumerGroupOffsets_destroy(one);
    rd_kafka_topic_partition_list_destroy(list);
    // A group with members refuses it, and librdkafka 2.0.2 does not say so.
    if (offset_of(group, topic, partition) != offset) throw std::runtime_error("nothing was set");
  }

  std::int64_t offset_of(const std::string& group, const std::string& topic, int partition) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition);
    rd_kafka_ListConsumerGroupOffsets_t* one =
        rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), list);
    rd_kafka_ListConsumerGroupOffsets(client_, &one, 1, nullptr, queue_);
    rd_kafka_event_t* event = answer();
    std::size_t count = 0;
    const rd_kafka_group_result_t** groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    check_groups(groups, count);
    const std::int64_t offset =
        count == 1 ? rd_kafka_group_result_partitions(groups[0])->elems[0].offset : -1;
    rd_kafka_event_destroy(event);
    rd_kafka_ListConsumerGroupOffsets_destroy(one);
    rd_kafka_topic_partition_list_destroy(list);
    return offset;
  }

  void delete_offsets(const std::string& group, const std::string& topic, int partitions) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; ++p) rd_kafka_topic_partition_list_add(list, topic.c_str(), p);
    rd_kafka_DeleteConsumerGroupOffsets_t* one =
        rd_kafka_DeleteConsumerGroupOffsets_new(group.c_str(), list);
    rd_kafka_DeleteConsumerGroupOffsets(client_, &one, 1, nullptr, queue_);
    rd_kafka_event_t* event = answer();
    std::size_t count = 0;
    check_groups(rd_kafka_DeleteConsumerGroupOffsets_result_groups(
                     rd_kafka_event_DeleteConsumerGroupOffsets_result(event), &count),
                 count);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteConsumerGroupOffsets_destroy(one);
    rd_kafka_topic_partition_list_destroy(list);
  }

  static void check_groups(const rd_kafka_group_result_t** groups, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const rd_kafka_error_t* error = rd_kafka_group_result_error(groups[i]);
      if (error != nullptr) throw std::runtime_error(rd_kafka_error_string(error));
      check_partitions(rd_kafka_group_result_partitions(groups[i]));
    }
  }

  rd_kafka_t* client_ = nullptr;
  rd_kafka_queue_t* queue_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3) throw std::runtime_error("usage: operator BOOTSTRAP ORDER WORD...");
    Operator(argv[1]).obey({argv + 2, argv + argc});
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << "operator: " << failure.what() << '\n';
    return 1;
  }
}
