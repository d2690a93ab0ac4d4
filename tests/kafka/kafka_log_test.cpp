#include "log/kafka/kafka_log.hpp"

#include <doctest/doctest.h>

#include "log/contract.hpp"
#include "support/kafka_servers.hpp"

namespace weir::host {
namespace {

using test::ok;

class KafkaFactory final : public test::LogFactory {
 public:
  KafkaFactory() { patience = std::chrono::seconds(20); }
  std::unique_ptr<Log> open() override {
    KafkaOptions options;
    options.brokers = test::kafka_servers();
    return ok(KafkaLog::open(std::move(options)));
  }
};

}  // namespace

TEST_CASE("kafka log: keeps the contract for topics") {
  KafkaFactory factory;
  test::check_topics(factory);
}
TEST_CASE("kafka log: keeps the contract for reading") {
  KafkaFactory factory;
  test::check_reading(factory);
}
TEST_CASE("kafka log: keeps the contract for positions") {
  KafkaFactory factory;
  test::check_positions(factory);
}
TEST_CASE("kafka log: keeps the contract for appending") {
  KafkaFactory factory;
  test::check_appending(factory);
}
TEST_CASE("kafka log: keeps the contract for publishing") {
  KafkaFactory factory;
  test::check_publishing(factory);
}
TEST_CASE("kafka log: keeps the contract for fencing") {
  KafkaFactory factory;
  test::check_fencing(factory);
}
TEST_CASE("kafka log: keeps the contract for waiting") {
  KafkaFactory factory;
  test::check_waiting(factory);
}
TEST_CASE("kafka log: keeps the contract for health") {
  KafkaFactory factory;
  test::check_health(factory);
}

}  // namespace weir::host
