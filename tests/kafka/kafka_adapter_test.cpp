// What the contract cannot say: other programs' transactions, the group, limits of the broker, and
// that a slow reader stays as fast as it is.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <random>
#include <thread>

#include "log/contract.hpp"
#include "log/kafka/kafka_log.hpp"
#include "raw_producer.hpp"
#include "support/kafka_servers.hpp"

namespace weir::host {
namespace {

using namespace std::chrono_literals;
using test::ok;
using Clock = std::chrono::steady_clock;

class Names final : public test::LogFactory {
 public:
  Names() { patience = 30s; }
  std::unique_ptr<Log> open() override { return nullptr; }
};

Names& names() {
  static Names all;
  return all;
}
std::string unique(const std::string& name) { return names().unique(name); }

/// A commit's answer may come before its records can be seen: waits for them.
std::vector<std::string> read(Log& log, const TopicPartition& partition, std::size_t count) {
  return test::values_of(test::read_records(names(), log, partition, count));
}

std::unique_ptr<KafkaLog> open(KafkaOptions options = {}) {
  options.brokers = test::kafka_servers();
  return ok(KafkaLog::open(std::move(options)));
}

std::vector<std::string> fetch_all(Log& log, Reader& reader, std::int64_t end) {
  std::vector<std::string> out;
  const auto deadline = Clock::now() + 30s;
  while (reader.position() < end && Clock::now() < deadline) {
    const auto records = ok(reader.fetch({}));
    for (const Record& record : records) out.emplace_back(record.value.value_or("(null)"));
    if (records.empty()) log.wait_for_records(20ms);
  }
  CHECK(reader.position() >= end);
  return out;
}

Result<void> publish(Producer& producer, const TopicPartition& input, std::int64_t next,
                     const TopicPartition& to, const std::string& value) {
  const Mark mark{input, next, "commit " + value.substr(0, 20)};
  NewRecord record;
  record.topic = to.topic;
  record.partition = to.partition;
  record.value = value;
  record.timestamp_ms = test::noon_ms;
  const Publication publication{{&mark, 1}, {&record, 1}};
  return producer.publish({&publication, 1});
}

}  // namespace

TEST_CASE("kafka adapter: aborted records are passed over and an open transaction is not") {
  const auto log = open();
  const TopicPartition in{unique("input"), 0};
  ok(log->create_topic(in.topic, 1));
  test::append_values(*log, in, {"before"});
  {
    test::RawProducer other(unique("other"));
    other.begin();
    for (int i = 0; i < 100; ++i) other.send(in, "aborted");
    other.flush();
    other.abort();
  }
  test::RawProducer other(unique("other"));
  other.begin();
  other.send(in, "open");
  other.flush();
  test::append_values(*log, in, {"behind the open one"});

  CHECK(read(*log, in, 1).size() == 1);
  const std::int64_t stable_end = ok(log->offsets(in)).end;
  const auto reader = ok(log->open_reader(in, 0));
  CHECK(fetch_all(*log, *reader, stable_end) == std::vector<std::string>{"before"});
  std::this_thread::sleep_for(100ms);
  CHECK(ok(reader->fetch({})).empty());
  CHECK(reader->position() == stable_end);

  other.commit();
  CHECK(read(*log, in, 3).size() == 3);
  const std::int64_t end = ok(log->offsets(in)).end;
  CHECK(end > stable_end);
  CHECK(fetch_all(*log, *reader, end) == std::vector<std::string>{"open", "behind the open one"});
}

TEST_CASE("kafka adapter: a record that the topic does not take leaves nothing behind") {
  KafkaOptions small;
  small.topic_config = {{"max.message.bytes", "2000"}};
  small.producer = {{"compression.type", "none"}};
  const auto log = open(small);
  const TopicPartition in{unique("input"), 0};
  const TopicPartition out{unique("output"), 0};
  ok(log->create_topic(in.topic, 1));
  ok(log->create_topic(out.topic, 1));
  const auto producer = ok(log->open_producer(unique("group"), "w0"));

  const auto refused = publish(*producer, in, 1, out, std::string(5000, 'x'));
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::invalid);
  CHECK(refused.error().message.find(out.topic) != std::string::npos);
  CHECK(refused.error().message.find("5000 bytes") != std::string::npos);
  CHECK(refused.error().message.find("max.message.bytes 2000") != std::string::npos);

  ok(publish(*producer, in, 1, out, "fits"));
  CHECK(read(*log, out, 1) == std::vector<std::string>{"fits"});
}

TEST_CASE("kafka adapter: records of 5 MB come through where the topic takes them") {
  KafkaOptions big;
  big.topic_config = {{"max.message.bytes", "8000000"}};
  big.producer = {{"compression.type", "none"}};
  const auto log = open(big);
  const TopicPartition topic{unique("big"), 0};
  ok(log->create_topic(topic.topic, 1));
  const std::vector<std::string> values = {std::string(5'000'000, 'a'), "small",
                                           std::string(5'000'000, 'b')};
  test::append_values(*log, topic, values);
  CHECK((read(*log, topic, values.size()) == values));
}

TEST_CASE("kafka adapter: the member of a group reads all partitions from where it says") {
  const auto log = open();
  const std::string topic = unique("input");
  const std::string group = unique("group");
  ok(log->create_topic(topic, 3));
  for (std::int32_t p = 0; p < 3; ++p) {
    std::vector<std::string> values;
    for (int i = 0; i < 1000; ++i) values.push_back(std::to_string(i));
    test::append_values(*log, {topic, p}, values);
  }
  ok(log->join({group, "host-a", {topic}}));
  const auto producer = ok(log->open_producer(group, "0"));
  std::vector<std::unique_ptr<Reader>> readers;
  for (std::int32_t p = 0; p < 3; ++p) {
    readers.push_back(ok(log->open_reader({topic, p}, 100 * (p + 1))));
  }
  for (std::int32_t p = 0; p < 3; ++p) {
    const auto values = fetch_all(*log, *readers[static_cast<std::size_t>(p)], 1000);
    REQUIRE(values.size() == static_cast<std::size_t>(1000 - 100 * (p + 1)));
    CHECK(values.front() == std::to_string(100 * (p + 1)));
    CHECK(values.back() == "999");
  }
  ok(publish(*producer, {topic, 0}, 1000, {topic, 1}, "as a member"));
  CHECK(ok(open()->committed(group, {topic, 0}))->metadata == "commit as a member");

  SUBCASE("going back further than the last fetch starts the partition again") {
    ok(readers[0]->seek(5));
    const auto values = fetch_all(*log, *readers[0], 1000);
    CHECK(values.size() == 995);
    CHECK(values.front() == "5");
  }

  SUBCASE("a host with another state directory is refused by name and disturbs nobody") {
    const auto other = open();
    const auto refused = other->join({group, "host-b", {topic}});
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::refused);
    CHECK(refused.error().message.find("host-a") != std::string::npos);
    ok(publish(*producer, {topic, 0}, 1001, {topic, 1}, "still there"));
  }

  SUBCASE("the same state directory takes over at once and only one of the two stays") {
    const auto start = Clock::now();
    const auto heir = open();
    ok(heir->join({group, "host-a", {topic}}));
    const auto reader = ok(heir->open_reader({topic, 0}, 500));
    while (ok(reader->fetch({})).empty()) heir->wait_for_records(20ms);
    CHECK(Clock::now() - start < 2s);

    const auto deadline = Clock::now() + 15s;
    while (readers[1]->fetch({}) && Clock::now() < deadline) std::this_thread::sleep_for(10ms);
    const auto fetched = readers[1]->fetch({});
    REQUIRE(!fetched);
    CHECK(fetched.error().code == Errc::refused);
    const auto published = publish(*producer, {topic, 0}, 1002, {topic, 1}, "too late");
    REQUIRE(!published);
    CHECK(published.error().code == Errc::refused);
  }
}

TEST_CASE("kafka adapter: at least once publishes records and then marks") {
  KafkaOptions options;
  options.exactly_once = false;
  const auto log = open(options);
  const TopicPartition in{unique("input"), 0};
  const TopicPartition out{unique("output"), 0};
  const std::string group = unique("group");
  ok(log->create_topic(in.topic, 1));
  ok(log->create_topic(out.topic, 1));
  ok(log->join({group, "host-a", {in.topic}}));
  const auto producer = ok(log->open_producer(group, "0"));
  for (int i = 1; i <= 5; ++i) ok(publish(*producer, in, i, out, std::to_string(i)));
  CHECK(read(*log, out, 5) == std::vector<std::string>{"1", "2", "3", "4", "5"});
  CHECK(ok(log->committed(group, in))->metadata == "commit 5");
}

namespace {

/// Reads everything as the member of a new group, with so much work for each record.
struct Reading {
  double seconds = 0;
  double idle_seconds = 0;  ///< in which it waited for records
  std::int64_t records = 0;
  std::int64_t queued_bytes_max = 0;
};
Reading read_with_work(const std::string& topic, int partitions, std::int64_t wanted,
                       std::chrono::nanoseconds work) {
  KafkaOptions options;
  options.consumer = {{"queued.max.messages.kbytes", "1024"}, {"statistics.interval.ms", "100"}};
  const auto log = open(options);
  ok(log->join({unique("group"), "host-a", {topic}}));
  std::vector<std::unique_ptr<Reader>> readers;
  for (std::int32_t p = 0; p < partitions; ++p) {
    readers.push_back(ok(log->open_reader({topic, p}, 0)));
  }
  Reading out;
  std::string seen;
  const auto start = Clock::now();
  while (out.records < wanted && Clock::now() - start < 60s) {
    bool worked = false;
    for (const auto& reader : readers) {
      const auto count = static_cast<std::int64_t>(ok(reader->fetch({})).size());
      const auto done = Clock::now() + work * count;
      while (Clock::now() < done) {
      }
      out.records += count;
      worked |= count > 0;
    }
    if (!worked) {
      const auto idle = Clock::now();
      log->wait_for_records(20ms);
      out.idle_seconds += std::chrono::duration<double>(Clock::now() - idle).count();
    }
    std::string statistics = log->statistics();
    if (statistics == seen) continue;
    seen = std::move(statistics);
    const auto json = nlohmann::json::parse(seen);
    for (const auto& partition : json["topics"][topic]["partitions"]) {
      out.queued_bytes_max =
          std::max(out.queued_bytes_max, partition["fetchq_size"].get<std::int64_t>());
    }
  }
  out.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return out;
}

}  // namespace

TEST_CASE("kafka adapter: a slow reader is as fast as its work and its queues stay bounded") {
  constexpr int partitions = 4;
  constexpr std::int64_t per_partition = 30'000;
  constexpr std::int64_t count = per_partition * partitions;
  constexpr auto work = 3us;
  const std::string topic = unique("many");
  ok(open()->create_topic(topic, partitions));
  {
    test::RawProducer feeder(unique("feeder"));
    feeder.begin();
    std::mt19937 random(1);  // nothing to compress: a queue's bytes are few records
    std::string value(600, ' ');
    for (std::int64_t i = 0; i < per_partition; ++i) {
      for (char& c : value) c = static_cast<char>(random());
      for (std::int32_t p = 0; p < partitions; ++p) feeder.send({topic, p}, value);
    }
    feeder.commit();
  }
  const Reading slow = read_with_work(topic, partitions, count, work);
  // A busy machine stretches the work as well: what counts is how long it had nothing to do.
  const double busy = 1 - slow.idle_seconds / slow.seconds;
  MESSAGE("busy for " << busy << " of " << slow.seconds << " s, queue at most "
                      << slow.queued_bytes_max << " B");
  CHECK(slow.records == count);
  CHECK(busy > 0.4);  // below 0.2 without waking throttled fetches; on a quiet machine above 0.9
  CHECK(slow.queued_bytes_max > 0);
  CHECK(slow.queued_bytes_max < 3 << 20);  // 1 MiB, and what one fetch may be over it
}

}  // namespace weir::host
