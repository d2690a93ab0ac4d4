#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/line_case.hpp"

namespace weir::host::bench {

/// librdkafka as the loops written by hand use it: with the settings that make it fast, and with
/// nothing around it. Errors end the process with their text.

using Properties = std::vector<std::pair<std::string, std::string>>;

struct DestroyClient {
  void operator()(rd_kafka_t* client) const;
};
using Client = std::unique_ptr<rd_kafka_t, DestroyClient>;

Client open_client(rd_kafka_type_t type, const std::string& brokers, const Properties& properties);

void kafka_ok(rd_kafka_resp_err_t code, const char* doing);
void kafka_ok(rd_kafka_error_t* error, const char* doing);

void make_topic(const std::string& brokers, const std::string& topic, std::int32_t partitions,
                const Properties& properties = {});

/// To the partition of its key, with the time of now. Waits for room in the producer's queue.
void produce(rd_kafka_t* producer, const std::string& topic, const KeyValue& record);

/// Where a partition begins and ends. Waits for a topic that has just been made.
std::pair<std::int64_t, std::int64_t> ends_of(rd_kafka_t* client, const std::string& topic,
                                              std::int32_t partition);

/// One partition of a topic, read through a queue of its own from its beginning to where it ended
/// when it was opened.
struct PartitionQueue {
  std::int32_t partition = 0;
  rd_kafka_queue_t* queue = nullptr;
  std::int64_t next = 0;
  std::int64_t end = 0;
  bool done() const { return next >= end; }
};

class TopicReader {
 public:
  TopicReader(const std::string& brokers, const std::string& topic, std::int32_t partitions);
  ~TopicReader();
  TopicReader(const TopicReader&) = delete;
  TopicReader& operator=(const TopicReader&) = delete;

  /// Begins to fetch.
  void start();

  std::span<PartitionQueue> partitions() { return partitions_; }
  rd_kafka_t* client() const { return client_.get(); }

 private:
  std::string topic_;
  Client client_;
  std::vector<PartitionQueue> partitions_;
};

/// What is there of one partition, at most 1,000 messages: `visit` sees each record, which lives
/// until it returns.
std::size_t read_some(PartitionQueue& from,
                      const std::function<void(std::span<rd_kafka_message_t*>)>& visit);

}  // namespace weir::host::bench
