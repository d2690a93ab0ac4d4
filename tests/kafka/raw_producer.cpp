#include "raw_producer.hpp"

#include <doctest/doctest.h>

#include <array>

#include "support/kafka_servers.hpp"

namespace weir::test {
namespace {

constexpr int timeout_ms = 30'000;

void check(rd_kafka_error_t* error) {
  const host::KafkaFault owned(error);
  if (error != nullptr) FAIL(rd_kafka_error_string(error));
}

}  // namespace

RawProducer::RawProducer(const std::string& transactional_id) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  std::array<char, 512> text{};
  const auto set = [&](const char* name, const std::string& value) {
    REQUIRE(rd_kafka_conf_set(conf, name, value.c_str(), text.data(), text.size()) ==
            RD_KAFKA_CONF_OK);
  };
  set("bootstrap.servers", kafka_servers());
  set("transactional.id", transactional_id);
  set("compression.type", "lz4");
  set("queue.buffering.max.messages", "1000000");
  handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, text.data(), text.size()));
  REQUIRE_MESSAGE(handle_ != nullptr, text.data());
  check(rd_kafka_init_transactions(handle_.get(), timeout_ms));
}

void RawProducer::begin() { check(rd_kafka_begin_transaction(handle_.get())); }

void RawProducer::send(const host::TopicPartition& to, const std::string& value) {
  while (true) {
    const rd_kafka_resp_err_t code = rd_kafka_producev(
        handle_.get(), RD_KAFKA_V_TOPIC(to.topic.c_str()), RD_KAFKA_V_PARTITION(to.partition),
        RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    REQUIRE(code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    rd_kafka_poll(handle_.get(), 10);
  }
}

void RawProducer::flush() {
  REQUIRE(rd_kafka_flush(handle_.get(), timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR);
}
void RawProducer::commit() { check(rd_kafka_commit_transaction(handle_.get(), timeout_ms)); }
void RawProducer::abort() { check(rd_kafka_abort_transaction(handle_.get(), timeout_ms)); }

}  // namespace weir::test
