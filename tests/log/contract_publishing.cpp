#include <doctest/doctest.h>

#include <thread>

#include "log/contract.hpp"

namespace weir::test {

using host::Errc;
using host::Log;
using host::Mark;
using host::NewRecord;
using host::Producer;
using host::Publication;
using host::Result;
using host::TopicPartition;

namespace {

NewRecord record(const TopicPartition& to, std::string_view value) {
  NewRecord out;
  out.topic = to.topic;
  out.partition = to.partition;
  out.value = value;
  out.timestamp_ms = noon_ms;
  return out;
}

Result<void> publish(Producer& producer, const std::vector<Mark>& marks,
                     const std::vector<NewRecord>& records) {
  const Publication publication{marks, records};
  return producer.publish({&publication, 1});
}

/// Two outputs and the input partitions of two tasks.
struct Topics {
  explicit Topics(LogFactory& factory, Log& log)
      : group(factory.unique("group")),
        left{factory.unique("left"), 0},
        right{factory.unique("right"), 1},
        input{factory.unique("input"), 0},
        input_1{input.topic, 1} {
    ok(log.create_topic(left.topic, 1));
    ok(log.create_topic(right.topic, 2));
    ok(log.create_topic(input.topic, 2));
  }
  std::string group;
  TopicPartition left;
  TopicPartition right;
  TopicPartition input;
  TopicPartition input_1;
};

}  // namespace

void check_publishing(LogFactory& factory) {
  const auto log = factory.open();
  const Topics t(factory, *log);
  const auto producer = ok(log->open_producer(t.group, "w0"));

  SUBCASE("records of several tasks and topics appear with their marks") {
    const std::vector<Mark> marks_0 = {{t.input, 10, "task 0"}};
    const std::vector<Mark> marks_1 = {{t.input_1, 20, "task 1"}};
    const std::vector<NewRecord> records_0 = {record(t.left, "a"), record(t.right, "x")};
    const std::vector<NewRecord> records_1 = {record(t.right, "y"), record(t.left, "b"),
                                              record(t.left, "c")};
    const std::vector<Publication> publications = {{marks_0, records_0}, {marks_1, records_1}};
    ok(producer->publish(publications));

    const auto other = factory.open();
    CHECK(values_of(read_records(factory, *other, t.left, 3)) ==
          std::vector<std::string>{"a", "b", "c"});
    CHECK(values_of(read_records(factory, *other, t.right, 2)) ==
          std::vector<std::string>{"x", "y"});
    const auto mark_0 = ok(other->committed(t.group, t.input));
    const auto mark_1 = ok(other->committed(t.group, t.input_1));
    REQUIRE(mark_0.has_value());
    REQUIRE(mark_1.has_value());
    CHECK(mark_0->input == t.input);
    CHECK(mark_0->next_offset == 10);
    CHECK(mark_0->metadata == "task 0");
    CHECK(mark_1->next_offset == 20);
    CHECK(mark_1->metadata == "task 1");
  }

  SUBCASE("a mark belongs to one group and one input") {
    CHECK(!ok(log->committed(t.group, t.input)).has_value());
    ok(publish(*producer, {{t.input, 7, ""}}, {}));

    CHECK(ok(log->committed(t.group, t.input))->next_offset == 7);
    CHECK(!ok(log->committed(t.group, t.input_1)).has_value());
    CHECK(!ok(log->committed(factory.unique("group"), t.input)).has_value());
    CHECK(!ok(log->committed(t.group, {factory.unique("missing"), 0})).has_value());
  }

  SUBCASE("metadata comes back byte for byte") {
    std::string metadata;
    for (char c = 0x20; c < 0x7f; ++c) metadata.push_back(c);
    while (metadata.size() < 1024) metadata.push_back('m');
    ok(publish(*producer, {{t.input, 1, metadata}}, {}));

    CHECK(ok(factory.open()->committed(t.group, t.input))->metadata == metadata);
  }

  SUBCASE("the same offset may be marked again with other metadata") {
    ok(publish(*producer, {{t.input, 5, "one"}}, {record(t.left, "a")}));
    ok(publish(*producer, {{t.input, 5, "two"}}, {record(t.left, "timer")}));

    CHECK(ok(log->committed(t.group, t.input))->metadata == "two");
    CHECK(read_records(factory, *log, t.left, 2).size() == 2);
  }

  SUBCASE("what cannot all be published is not published at all") {
    ok(publish(*producer, {{t.input, 1, "before"}}, {}));
    const TopicPartition missing{factory.unique("missing"), 0};

    CHECK(publish(*producer, {{t.input, 2, "bad"}}, {record(t.left, "bad"), record(missing, "bad")})
              .error()
              .code == Errc::not_found);
    CHECK(publish(*producer, {{t.input, 2, "bad"}, {missing, 2, ""}}, {record(t.left, "bad")})
              .error()
              .code == Errc::not_found);
    CHECK(publish(*producer, {{t.input, 2, "line\nbreak"}}, {record(t.left, "bad")}).error().code ==
          Errc::invalid);
    CHECK(publish(*producer, {{t.input, 2, std::string(1025, 'm')}}, {record(t.left, "bad")})
              .error()
              .code == Errc::invalid);
    CHECK(publish(*producer, {}, {record(t.left, "bad")}).error().code == Errc::invalid);

    CHECK(ok(log->committed(t.group, t.input))->metadata == "before");
    ok(publish(*producer, {{t.input, 2, "after"}}, {record(t.left, "good")}));
    CHECK(values_of(read_records(factory, *log, t.left, 1)) == std::vector<std::string>{"good"});
    CHECK(ok(log->committed(t.group, t.input))->metadata == "after");
  }

  SUBCASE("nobody sees a part of a publication") {
    constexpr std::int64_t rounds = 20;
    constexpr std::size_t per_round = 3;
    Result<void> published;
    std::thread writer([&] {
      for (std::int64_t i = 1; i <= rounds && published; ++i) {
        const std::vector<NewRecord> records = {record(t.left, "a"),  record(t.right, "x"),
                                                record(t.left, "b"),  record(t.right, "y"),
                                                record(t.right, "z"), record(t.left, "c")};
        published = publish(*producer, {{t.input, i, std::to_string(i)}}, records);
      }
    });
    const auto observer = factory.open();
    std::int64_t marked = 0;
    const auto deadline = std::chrono::steady_clock::now() + factory.patience;
    while (marked < rounds && std::chrono::steady_clock::now() < deadline) {
      const auto mark = ok(observer->committed(t.group, t.input));
      marked = mark ? mark->next_offset : 0;
      CHECK((mark ? mark->metadata : "0") == std::to_string(marked));
      CHECK(read_to_end(*observer, t.left).size() % per_round == 0);
      CHECK(read_to_end(*observer, t.right).size() % per_round == 0);
    }
    writer.join();
    ok(published);
    CHECK(marked == rounds);
    CHECK(read_records(factory, *observer, t.left, rounds * per_round).size() == 60);
    CHECK(read_records(factory, *observer, t.right, rounds * per_round).size() == 60);
  }
}

void check_fencing(LogFactory& factory) {
  const auto log = factory.open();
  const auto other = factory.open();
  const Topics t(factory, *log);
  const auto producer = ok(log->open_producer(t.group, "w0"));
  ok(publish(*producer, {{t.input, 1, "first"}}, {record(t.left, "first")}));

  SUBCASE("a newer producer fences the older one and nothing else") {
    const auto other_id = ok(log->open_producer(t.group, "w1"));
    const auto other_group = ok(log->open_producer(factory.unique("group"), "w0"));
    const auto newer = ok(other->open_producer(t.group, "w0"));

    const auto refused = publish(*producer, {{t.input, 2, "old"}}, {record(t.left, "old")});
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::refused);
    CHECK(ok(log->committed(t.group, t.input))->metadata == "first");
    ok(publish(*newer, {{t.input, 2, "new"}}, {record(t.left, "new")}));
    ok(publish(*other_id, {{t.input_1, 1, ""}}, {record(t.left, "other id")}));
    ok(publish(*other_group, {{t.input, 1, ""}}, {record(t.left, "other group")}));
    CHECK(publish(*producer, {{t.input, 3, "old"}}, {}).error().code == Errc::refused);

    CHECK(values_of(read_records(factory, *log, t.left, 4)) ==
          std::vector<std::string>{"first", "new", "other id", "other group"});
    CHECK(ok(log->committed(t.group, t.input))->metadata == "new");
  }

  SUBCASE("after an unknown outcome the mark tells what happened") {
    for (const bool happened : {false, true}) {
      CAPTURE(happened);
      const auto using_it = ok(log->open_producer(t.group, "w0"));
      if (!factory.fail_next_publish(happened)) return;
      const std::string id = happened ? "happened" : "lost";
      const auto unknown = publish(*using_it, {{t.input, 2, id}}, {record(t.left, id)});
      REQUIRE(!unknown);
      CHECK(unknown.error().code == Errc::unavailable);
      CHECK(publish(*using_it, {{t.input, 2, id}}, {record(t.left, id)}).error().code ==
            Errc::unavailable);

      const auto next = ok(log->open_producer(t.group, "w0"));
      const bool found = ok(log->committed(t.group, t.input))->metadata == id;
      CHECK(found == happened);
      if (!found) ok(publish(*next, {{t.input, 2, id}}, {record(t.left, id)}));
    }
    CHECK(values_of(read_records(factory, *log, t.left, 3)) ==
          std::vector<std::string>{"first", "lost", "happened"});
  }
}

}  // namespace weir::test
