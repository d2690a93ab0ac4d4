#include "log/contract.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "base/bytes.hpp"

namespace weir::test {

using namespace std::chrono_literals;
using host::Errc;
using host::FetchLimit;
using host::Log;
using host::NewRecord;
using host::OffsetRange;
using host::Record;
using host::TopicPartition;

std::string LogFactory::unique(const std::string& name) {
  if (suffix_.empty()) {
    std::random_device random;
    const std::uint32_t drawn = random();
    suffix_ = host::to_hex({reinterpret_cast<const char*>(&drawn), sizeof drawn});
  }
  return name + "-" + suffix_ + "-" + std::to_string(++count_);
}

OwnedRecord owned(const Record& record) {
  OwnedRecord out;
  if (record.key) out.key = std::string(*record.key);
  if (record.value) out.value = std::string(*record.value);
  for (const host::Header& header : record.headers) {
    std::optional<std::string> value;
    if (header.value) value = std::string(*header.value);
    out.headers.emplace_back(std::string(header.name), std::move(value));
  }
  out.timestamp_ms = record.timestamp_ms;
  out.offset = record.offset;
  return out;
}

void fail(const host::Error& error) {
  FAIL(error.message);
  throw std::runtime_error(error.message);  // not reached
}

std::vector<std::int64_t> append_values(Log& log, const TopicPartition& partition,
                                        const std::vector<std::string>& values) {
  std::vector<NewRecord> records;
  for (const std::string& value : values) {
    NewRecord record;
    record.topic = partition.topic;
    record.partition = partition.partition;
    record.value = value;
    record.timestamp_ms = noon_ms;
    records.push_back(record);
  }
  return ok(log.append(records));
}

std::vector<OwnedRecord> read_to_end(Log& log, const TopicPartition& partition, FetchLimit limit) {
  const OffsetRange range = ok(log.offsets(partition));
  const auto reader = ok(log.open_reader(partition, range.begin));
  std::vector<OwnedRecord> out;
  while (reader->position() < range.end) {
    for (const Record& record : ok(reader->fetch(limit))) {
      if (record.offset < range.end) out.push_back(owned(record));
    }
  }
  return out;
}

std::vector<OwnedRecord> read_records(LogFactory& factory, Log& log,
                                      const TopicPartition& partition, std::size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + factory.patience;
  std::vector<OwnedRecord> out = read_to_end(log, partition);
  while (out.size() < count && std::chrono::steady_clock::now() < deadline) {
    log.wait_for_records(50ms);
    out = read_to_end(log, partition);
  }
  CHECK(out.size() == count);
  return out;
}

std::vector<std::string> values_of(const std::vector<OwnedRecord>& records) {
  std::vector<std::string> out;
  for (const OwnedRecord& record : records) out.push_back(record.value.value_or("(null)"));
  return out;
}

void run_log_contract(LogFactory& factory) {
  check_topics(factory);
  check_reading(factory);
  check_positions(factory);
  check_appending(factory);
  check_publishing(factory);
  check_fencing(factory);
  check_waiting(factory);
  check_health(factory);
}

void check_topics(LogFactory& factory) {
  const auto log = factory.open();
  const std::string name = factory.unique("topic");

  SUBCASE("a topic that was never made is absent") {
    CHECK(!ok(log->topic(name)).has_value());
    CHECK(log->offsets({name, 0}).error().code == Errc::not_found);
    CHECK(log->open_reader({name, 0}, 0).error().code == Errc::not_found);
  }

  SUBCASE("a topic is what it was made as, for every handle") {
    ok(log->create_topic(name, 3));

    const auto other = factory.open();
    const auto info = ok(other->topic(name));
    REQUIRE(info.has_value());
    CHECK(info->name == name);
    CHECK(info->partition_count == 3);
    CHECK(info->identity == ok(log->topic(name))->identity);
    bool listed = false;
    for (const host::TopicInfo& topic : ok(other->topics())) {
      listed = listed || (topic.name == name && topic.partition_count == 3);
    }
    CHECK(listed);
  }

  SUBCASE("making a topic again is fine with the same number of partitions and refused else") {
    ok(log->create_topic(name, 3));

    ok(log->create_topic(name, 3));
    const auto other_count = log->create_topic(name, 4);
    REQUIRE(!other_count);
    CHECK(other_count.error().code == Errc::refused);
    CHECK(other_count.error().message.find(name) != std::string::npos);
    CHECK(ok(log->topic(name))->partition_count == 3);
  }

  SUBCASE("a name that Kafka would not take is invalid") {
    for (const std::string& bad :
         {std::string(), std::string("."), std::string(".."), std::string("a/b"),
          std::string("a b"), std::string("\xc3\xa4"), std::string(250, 'a')}) {
      CAPTURE(bad);
      const auto made = log->create_topic(bad, 1);
      REQUIRE(!made);
      CHECK(made.error().code == Errc::invalid);
      CHECK(!ok(log->topic(bad)).has_value());
    }
    ok(log->create_topic((factory.unique("A.b_c-9-") + std::string(249, 'x')).substr(0, 249), 1));
  }

  SUBCASE("a partition that a topic does not have is not found") {
    ok(log->create_topic(name, 2));

    for (const std::int32_t partition : {-1, 2}) {
      CHECK(log->offsets({name, partition}).error().code == Errc::not_found);
      CHECK(log->open_reader({name, partition}, 0).error().code == Errc::not_found);
      CHECK(log->offset_at({name, partition}, 0).error().code == Errc::not_found);
    }
  }
}

void check_appending(LogFactory& factory) {
  const auto log = factory.open();
  const TopicPartition first{factory.unique("first"), 0};
  const TopicPartition second{factory.unique("second"), 1};
  ok(log->create_topic(first.topic, 1));
  ok(log->create_topic(second.topic, 2));
  const auto record = [](const TopicPartition& to, std::string_view value) {
    NewRecord out;
    out.topic = to.topic;
    out.partition = to.partition;
    out.value = value;
    out.timestamp_ms = noon_ms;
    return out;
  };

  SUBCASE("one append may go to several topics and returns each record's offset") {
    const auto offsets = ok(log->append(std::vector{record(first, "a"), record(second, "x"),
                                                    record(first, "b"), record(second, "y")}));

    const auto in_first = read_records(factory, *log, first, 2);
    const auto in_second = read_records(factory, *log, second, 2);
    CHECK(values_of(in_first) == std::vector<std::string>{"a", "b"});
    CHECK(values_of(in_second) == std::vector<std::string>{"x", "y"});
    REQUIRE(offsets.size() == 4);
    CHECK(offsets[0] == in_first.at(0).offset);
    CHECK(offsets[1] == in_second.at(0).offset);
    CHECK(offsets[2] == in_first.at(1).offset);
    CHECK(offsets[3] == in_second.at(1).offset);
  }

  SUBCASE("an append that cannot all happen does not happen at all") {
    const std::string missing = factory.unique("missing");

    const auto no_topic = log->append(std::vector{record(first, "a"), record({missing, 0}, "b")});
    const auto no_partition =
        log->append(std::vector{record(second, "a"), record({first.topic, 1}, "b")});

    CHECK(no_topic.error().code == Errc::not_found);
    CHECK(no_partition.error().code == Errc::not_found);
    append_values(*log, first, {"after"});
    append_values(*log, second, {"after"});
    CHECK(values_of(read_records(factory, *log, first, 1)) == std::vector<std::string>{"after"});
    CHECK(values_of(read_records(factory, *log, second, 1)) == std::vector<std::string>{"after"});
  }

  SUBCASE("an append of nothing is nothing") {
    CHECK(ok(log->append({})).empty());
    CHECK(read_to_end(*log, first).empty());
  }
}

namespace {

/// Reads single records of a partition, waiting for each as long as it takes.
class Listener {
 public:
  Listener(LogFactory& factory, const TopicPartition& partition)
      : log_(factory.open()),
        reader_(ok(log_->open_reader(partition, ok(log_->offsets(partition)).end))),
        // Far longer than patience, so that one missed wake-up is noticed.
        too_long_(2 * factory.patience) {}

  /// Empty: nothing came.
  std::string next() {
    const auto deadline = std::chrono::steady_clock::now() + too_long_;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto records = reader_->fetch({.records = 1});
      if (!records) return {};
      if (!records->empty()) return std::string(records->front().value.value_or(""));
      log_->wait_for_records(too_long_);
    }
    return {};
  }

 private:
  std::unique_ptr<Log> log_;
  std::unique_ptr<host::Reader> reader_;
  std::chrono::milliseconds too_long_;
};

}  // namespace

void check_waiting(LogFactory& factory) {
  const auto log = factory.open();
  const TopicPartition ball{factory.unique("ball"), 0};
  const TopicPartition back{factory.unique("back"), 0};
  ok(log->create_topic(ball.topic, 1));
  ok(log->create_topic(back.topic, 1));

  SUBCASE("waiting ends by itself") {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 3; ++i) log->wait_for_records(std::chrono::milliseconds(5));
    CHECK(std::chrono::steady_clock::now() - start < factory.patience);
  }

  // Each waits for the other, so that every record has to wake somebody up.
  SUBCASE("records of another handle end the waiting and none is missed") {
    constexpr int rounds = 20;
    Listener for_ball(factory, ball);
    Listener for_back(factory, back);
    const auto start = std::chrono::steady_clock::now();
    {
      const std::jthread player([&] {
        for (int i = 0; i < rounds; ++i) {
          const std::string value = for_ball.next();
          if (value.empty()) return;
          NewRecord record;
          record.topic = back.topic;
          record.value = value;
          record.timestamp_ms = noon_ms;
          if (!log->append({&record, 1})) return;
        }
      });
      for (int i = 0; i < rounds; ++i) {
        append_values(*log, ball, {std::to_string(i)});
        const std::string returned = for_back.next();
        CHECK(returned == std::to_string(i));
        if (returned.empty()) break;
      }
    }
    CHECK(std::chrono::steady_clock::now() - start < factory.patience);
  }
}

void check_health(LogFactory& factory) {
  const auto log = factory.open();
  const std::string name = factory.unique("health");
  ok(log->create_topic(name, 1));
  append_values(*log, {name, 0}, {"a"});

  SUBCASE("a log that has just answered is reachable and its figures are well-formed metrics") {
    const host::LogHealth health = log->health();
    CHECK(health.reachable);
    CHECK(health.trouble.empty());
    std::set<std::pair<std::string, decltype(host::LogFigure::labels)>> seen;
    for (const host::LogFigure& figure : health.figures) {
      CAPTURE(figure.name);
      CHECK(figure.name.starts_with("weir_log_"));
      CHECK(figure.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") ==
            std::string::npos);
      CHECK(figure.name.ends_with("_total") == (figure.kind == host::LogFigure::Kind::counter));
      CHECK(!figure.help.empty());
      CHECK(std::isfinite(figure.value));
      CHECK(seen.emplace(figure.name, figure.labels).second);
    }
  }
}

}  // namespace weir::test
