// Against what librdkafka 2.0.2 said to a cluster of three, one of which was gone: captured, with a
// few windows of measurements cut out.
#include "log/kafka/kafka_statistics.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "log/kafka/kafka_figures.hpp"

namespace weir::host {
namespace {

std::string captured(const std::string& name) {
  std::ifstream in(std::string(WEIR_KAFKA_STATISTICS) + "/" + name + ".json");
  std::ostringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

const KafkaStatistics::Connection& to(const KafkaStatistics& all, const std::string& broker) {
  const auto found = std::find_if(all.connections.begin(), all.connections.end(),
                                  [&](const auto& one) { return one.broker == broker; });
  REQUIRE(found != all.connections.end());
  return *found;
}

using Labels = std::vector<std::pair<std::string, std::string>>;

/// The value of the one figure with this name and these labels; -1: there is none.
double figure(const LogHealth& health, const std::string& name, const Labels& labels = {}) {
  double out = -1;
  for (const LogFigure& one : health.figures) {
    if (one.name != name || one.labels != labels) continue;
    CHECK(out == -1);
    out = one.value;
  }
  return out;
}

Labels at(const std::string& client, const std::string& broker) {
  return {{"client", client}, {"broker", broker}};
}

}  // namespace

TEST_CASE("kafka statistics: a consumer's brokers and partitions and group are read") {
  const auto read = parse_kafka_statistics(captured("consumer"));

  REQUIRE(read);
  REQUIRE(read->connections.size() == 4);
  const auto& third = to(*read, "3");
  CHECK(third.is_needed);
  CHECK(third.is_up);
  CHECK(third.in_flight == 1);
  CHECK(third.queued == 0);
  CHECK(third.round_trip_p99_seconds == doctest::Approx(0.503807));
  CHECK(third.throttle_seconds == 0);
  CHECK(third.counters.requests == 36);
  CHECK(third.counters.sent_bytes == 2720);
  CHECK(third.counters.received_bytes == 5271);
  const auto& second = to(*read, "2");
  CHECK(second.is_needed);
  CHECK_FALSE(second.is_up);
  CHECK(second.counters.disconnects == 1);
  CHECK(second.counters.receive_errors == 1);
  CHECK(to(*read, "coordinator").counters.requests == 12);

  REQUIRE(read->partitions.size() == 3);  // not the one that stands for no partition
  CHECK(read->partitions[1].partition == TopicPartition{"t1", 1});
  CHECK(read->partitions[1].queued_records == 280);
  CHECK(read->partitions[1].queued_bytes == 1340);
  CHECK(read->partitions[1].end == 102);

  REQUIRE(read->group);
  CHECK(read->group->is_steady);
  CHECK(read->group->partition_count == 3);
  CHECK(read->group->rebalances == 1);
  CHECK(read->group->rebalance_age_seconds == doctest::Approx(12.915));
}

TEST_CASE("kafka statistics: a producer has a queue and no group") {
  const auto read = parse_kafka_statistics(
      replaced(replaced(captured("producer"), "\"msg_cnt\": 0", "\"msg_cnt\": 7"),
               "\"msg_size\": 0", "\"msg_size\": 4096"));

  REQUIRE(read);
  CHECK(read->queued_records == 7);
  CHECK(read->queued_bytes == 4096);
  CHECK(read->partitions.empty());
  CHECK_FALSE(read->group);
}

TEST_CASE("kafka statistics: what is unknown to librdkafka is absent and not a number below zero") {
  const auto read = parse_kafka_statistics(
      replaced(captured("consumer"), "\"ls_offset\": 51", "\"ls_offset\": -1001"));

  REQUIRE(read);
  CHECK_FALSE(read->partitions[0].end);
  CHECK(read->partitions[1].end);
  const auto bare =
      parse_kafka_statistics(R"({"brokers": {"b": {"nodeid": -1, "state": "INIT"}}})");
  REQUIRE(bare);
  CHECK(bare->connections[0].broker == "bootstrap");
  CHECK_FALSE(bare->connections[0].is_needed);
}

TEST_CASE("kafka statistics: other texts are refused") {
  const std::string whole = captured("consumer");
  for (const std::string& text : {std::string(), std::string("[]"), std::string("{}"),
                                  std::string("{\"brokers\": []}"), whole.substr(0, 1000)}) {
    CHECK_FALSE(parse_kafka_statistics(text));
  }
}

TEST_CASE("kafka figures: the clients of a log become figures and ends and a line for people") {
  KafkaFigures figures;
  LogHealth before;
  figures.report(before);
  CHECK(before.figures.empty());
  CHECK(before.summary.empty());
  const auto consumer = figures.add(KafkaRole::consumer);
  const auto one = figures.add(KafkaRole::producer);
  const auto other = figures.add(KafkaRole::producer);
  consumer->update(captured("consumer"));
  one->update(captured("producer"));
  other->update(replaced(captured("producer"), "\"throttle\": {\"min\": 0, \"max\": 0",
                         "\"throttle\": {\"min\": 0, \"max\": 250"));

  LogHealth health;
  figures.report(health);

  CHECK(figure(health, "weir_log_broker_up", at("consumer", "1")) == 1);
  CHECK(figure(health, "weir_log_broker_up", at("consumer", "2")) == 0);
  CHECK(figure(health, "weir_log_broker_up", at("producer", "2")) == 1);
  CHECK(figure(health, "weir_log_requests_in_flight", at("consumer", "1")) == 1);
  CHECK(figure(health, "weir_log_requests_total", at("producer", "1")) == 18);  // of both
  CHECK(figure(health, "weir_log_sent_bytes_total", at("producer", "coordinator")) == 2 * 634);
  CHECK(figure(health, "weir_log_receive_errors_total", at("consumer", "2")) == 1);
  CHECK(figure(health, "weir_log_round_trip_p99_seconds", at("producer", "1")) ==
        doctest::Approx(0.012863));
  CHECK(figure(health, "weir_log_throttle_seconds", at("producer", "coordinator")) == 0.25);
  CHECK(figure(health, "weir_log_fetch_queue_bytes", {{"topic", "t1"}, {"partition", "2"}}) ==
        1340);
  CHECK(figure(health, "weir_log_group_member") == 1);
  CHECK(figure(health, "weir_log_rebalances_total") == 1);
  CHECK(figure(health, "weir_log_producer_queue_records") == 0);
  CHECK(figure(health, "weir_log_client_age_seconds", {{"client", "producer"}}) < 60);
  CHECK(health.ends.at({"t1", 2}) == 153);
  CHECK(
      health.summary ==
      "3 brokers, not connected: 2, writes answered in 12.9 ms (p99), throttled for up to 250 ms; "
      "group steady, 3 partitions, 1 rebalance");
}

TEST_CASE("kafka figures: of a consumer that was replaced only the counters count") {
  KafkaFigures figures;
  const auto fenced = figures.add(KafkaRole::consumer);
  fenced->update(captured("consumer"));
  const auto other = figures.add(KafkaRole::consumer);
  other->update(replaced(captured("consumer"), "\"fetchq_cnt\": 280", "\"fetchq_cnt\": 3"));

  LogHealth health;
  figures.report(health);

  const Labels first{{"topic", "t1"}, {"partition", "0"}};
  CHECK(figure(health, "weir_log_fetch_queue_records", first) == 3);
  CHECK(figure(health, "weir_log_requests_in_flight", at("consumer", "1")) == 1);
  CHECK(figure(health, "weir_log_requests_total", at("consumer", "1")) == 76);
  CHECK(figure(health, "weir_log_rebalances_total") == 1);
}

TEST_CASE("kafka figures: the counters of a client stay when it is gone") {
  KafkaFigures figures;
  auto first = figures.add(KafkaRole::producer);
  first->update(captured("producer"));
  first.reset();
  const auto second = figures.add(KafkaRole::producer);
  second->update(captured("producer"));

  LogHealth health;
  figures.report(health);

  CHECK(figure(health, "weir_log_requests_total", at("producer", "1")) == 18);
  CHECK(figure(health, "weir_log_broker_up", at("producer", "1")) == 1);
}

}  // namespace weir::host
