#include "log/memory_log.hpp"

#include <doctest/doctest.h>

#include "log/contract.hpp"

namespace weir::host {
namespace {

using test::ok;

class MemoryFactory final : public test::LogFactory {
 public:
  explicit MemoryFactory(MemoryLog::Options options = {}) : log(options) {}

  std::unique_ptr<Log> open() override { return log.another_handle(); }
  bool fail_next_publish(bool happened) override {
    log.fail_publish(
        1, happened ? MemoryLog::PublishFault::answer_lost : MemoryLog::PublishFault::lost);
    return true;
  }

  MemoryLog log;
};

}  // namespace

TEST_CASE("memory log: keeps the contract") {
  MemoryFactory factory;
  test::run_log_contract(factory);
}

TEST_CASE("memory log: keeps the contract with commit markers between the records") {
  MemoryFactory factory({.commit_markers = true});
  test::run_log_contract(factory);
}

TEST_CASE("memory log: offsets without records are passed over and counted in the end") {
  MemoryLog log;
  const TopicPartition partition{"gaps", 0};
  ok(log.create_topic("gaps", 1));
  ok(log.add_gap(partition, 2));
  test::append_values(log, partition, {"a", "b"});
  ok(log.add_gap(partition, 3));
  test::append_values(log, partition, {"c"});
  ok(log.add_gap(partition, 1));

  const auto records = test::read_to_end(log, partition);
  CHECK(test::values_of(records) == std::vector<std::string>{"a", "b", "c"});
  CHECK(records.at(0).offset == 2);
  CHECK(records.at(2).offset == 7);
  CHECK(ok(log.offsets(partition)).end == 9);
  const auto reader = ok(log.open_reader(partition, 5));
  CHECK(ok(reader->fetch({.records = 1})).front().offset == 7);
  CHECK(ok(reader->fetch({})).empty());
  CHECK(reader->position() == 9);
}

TEST_CASE("memory log: a deleted front moves the begin and leaves what a reader holds") {
  MemoryLog log;
  const TopicPartition partition{"short", 0};
  ok(log.create_topic("short", 1));
  for (const char* value : {"a", "b", "c"}) test::append_values(log, partition, {value});
  const auto reader = ok(log.open_reader(partition, 0));
  const auto held = ok(reader->fetch({.records = 1}));

  ok(log.truncate(partition, 2));

  CHECK(held.front().value == "a");
  CHECK(ok(log.offsets(partition)).begin == 2);
  CHECK(reader->fetch({}).error().code == Errc::not_found);
  ok(reader->seek(2));
  CHECK(ok(reader->fetch({})).front().value == "c");
  CHECK(ok(log.offset_at(partition, 0)) == 2);
}

TEST_CASE("memory log: a front that ends inside of a batch is gone for readers and searches") {
  MemoryLog log;
  const TopicPartition partition{"short", 0};
  ok(log.create_topic("short", 1));
  test::append_values(log, partition, {"a", "b", "c"});

  ok(log.truncate(partition, 1));

  CHECK(test::values_of(test::read_to_end(log, partition)) == std::vector<std::string>{"b", "c"});
  CHECK(ok(log.offset_at(partition, 0)) == 1);
}

TEST_CASE("memory log: a fault hits the publish it was set for") {
  MemoryFactory factory;
  ok(factory.log.create_topic("in", 1));
  const auto producer = ok(factory.log.open_producer("group", "w0"));
  factory.log.fail_publish(3, MemoryLog::PublishFault::lost);
  const Mark mark{{"in", 0}, 1, ""};
  const Publication publication{{&mark, 1}, {}};

  CHECK(producer->publish({&publication, 1}).has_value());
  CHECK(producer->publish({&publication, 1}).has_value());
  CHECK(producer->publish({&publication, 1}).error().code == Errc::unavailable);
}

}  // namespace weir::host
