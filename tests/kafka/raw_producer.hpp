#pragma once

#include <string>

#include "log/kafka/kafka_handles.hpp"
#include "log/log.hpp"

namespace weir::test {

/// Another program's transactional producer: librdkafka alone, nothing of the adapter.
class RawProducer {
 public:
  explicit RawProducer(const std::string& transactional_id);

  void begin();
  void send(const host::TopicPartition& to, const std::string& value);
  void flush();
  void commit();
  void abort();

 private:
  host::KafkaHandle handle_;
};

}  // namespace weir::test
