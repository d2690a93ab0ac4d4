#include <doctest/doctest.h>
#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>

#include "support/kafka_servers.hpp"

namespace {

TEST_CASE("the broker that the tests are given answers") {
  char error[512] = "";
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  REQUIRE(rd_kafka_conf_set(conf, "bootstrap.servers", weir::test::kafka_servers().c_str(), error,
                            sizeof error) == RD_KAFKA_CONF_OK);
  const std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> client{
      rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error), &rd_kafka_destroy};
  REQUIRE_MESSAGE(client != nullptr, error);
  const struct rd_kafka_metadata* metadata = nullptr;
  REQUIRE(rd_kafka_metadata(client.get(), 1, nullptr, &metadata, 30'000) ==
          RD_KAFKA_RESP_ERR_NO_ERROR);
  CHECK(metadata->broker_cnt >= 1);
  rd_kafka_metadata_destroy(metadata);
}

}  // namespace
