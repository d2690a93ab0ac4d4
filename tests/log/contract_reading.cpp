#include <doctest/doctest.h>

#include <algorithm>

#include "log/contract.hpp"

namespace weir::test {

using host::Errc;
using host::FetchLimit;
using host::Header;
using host::Log;
using host::NewRecord;
using host::OffsetRange;
using host::Record;
using host::TopicPartition;

namespace {

std::vector<std::string> numbered(int count, std::size_t bytes = 0) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) {
    std::string value = std::to_string(i);
    if (value.size() < bytes) value.resize(bytes, '.');
    out.push_back(std::move(value));
  }
  return out;
}

void append_at(Log& log, const TopicPartition& partition,
               const std::vector<std::int64_t>& timestamps) {
  for (const std::int64_t timestamp_ms : timestamps) {
    NewRecord record;
    record.topic = partition.topic;
    record.partition = partition.partition;
    record.timestamp_ms = timestamp_ms;
    ok(log.append({&record, 1}));
  }
}

}  // namespace

void check_reading(LogFactory& factory) {
  const auto log = factory.open();
  const TopicPartition partition{factory.unique("reading"), 1};
  ok(log->create_topic(partition.topic, 2));

  SUBCASE("records come back in the order in which they were appended") {
    const auto values = numbered(1000);
    std::vector<std::int64_t> offsets;
    for (std::size_t from = 0; from < values.size(); from += 250) {
      const auto at = values.begin() + static_cast<std::ptrdiff_t>(from);
      for (const std::int64_t offset : append_values(*log, partition, {at, at + 250})) {
        offsets.push_back(offset);
      }
    }

    const auto records = read_records(factory, *log, partition, values.size());
    CHECK(values_of(records) == values);
    REQUIRE(records.size() == offsets.size());
    for (std::size_t i = 0; i < records.size(); ++i) CHECK(records[i].offset == offsets[i]);
    CHECK(std::adjacent_find(offsets.begin(), offsets.end(), std::greater_equal<>()) ==
          offsets.end());
    CHECK(read_to_end(*log, {partition.topic, 0}).empty());
  }

  SUBCASE("absent and empty keys and values and headers are kept apart") {
    const std::string bytes("\0\xff\n", 3);
    const std::vector<Header> headers = {
        {"trace", "1"}, {"trace", std::nullopt}, {"empty", ""}, {"bytes", bytes}};
    std::vector<NewRecord> sent(5);
    sent[0].value = "only a value";
    sent[1].key = "only a key";
    sent[2].key = "";
    sent[2].value = "";
    sent[3].key = bytes;
    sent[3].value = bytes;
    sent[3].headers = headers;
    for (NewRecord& record : sent) {
      record.topic = partition.topic;
      record.partition = partition.partition;
      record.timestamp_ms = noon_ms;
    }
    ok(log->append(sent));

    const auto records = read_records(factory, *log, partition, sent.size());
    REQUIRE(records.size() == sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      CAPTURE(i);
      CHECK(records[i].key.has_value() == sent[i].key.has_value());
      CHECK(records[i].key.value_or("") == sent[i].key.value_or(""));
      CHECK(records[i].value.has_value() == sent[i].value.has_value());
      CHECK(records[i].value.value_or("") == sent[i].value.value_or(""));
      REQUIRE(records[i].headers.size() == sent[i].headers.size());
      for (std::size_t h = 0; h < sent[i].headers.size(); ++h) {
        CHECK(records[i].headers[h].first == sent[i].headers[h].name);
        CHECK(records[i].headers[h].second.has_value() == sent[i].headers[h].value.has_value());
        CHECK(records[i].headers[h].second.value_or("") == sent[i].headers[h].value.value_or(""));
      }
    }
  }

  SUBCASE("timestamps are kept, in any order") {
    const std::vector<std::int64_t> timestamps = {noon_ms, noon_ms - 86'400'000, noon_ms + 1,
                                                  noon_ms};
    append_at(*log, partition, timestamps);

    const auto records = read_records(factory, *log, partition, timestamps.size());
    REQUIRE(records.size() == timestamps.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      CHECK(records[i].timestamp_ms == timestamps[i]);
    }
  }

  SUBCASE("a fetch returns no more records than asked for") {
    append_values(*log, partition, numbered(100));
    read_records(factory, *log, partition, 100);

    const auto reader = ok(log->open_reader(partition, ok(log->offsets(partition)).begin));
    const OffsetRange range = ok(log->offsets(partition));
    std::vector<std::string> seen;
    while (reader->position() < range.end) {
      const auto records = ok(reader->fetch({.records = 7, .bytes = 1 << 20}));
      CHECK(records.size() <= 7);
      for (const Record& record : records) seen.emplace_back(record.value.value());
    }
    CHECK(seen == numbered(100));
  }

  SUBCASE("a fetch stops near its bytes and a bigger record comes alone") {
    const auto small = numbered(40, 1000);
    const std::string big(300'000, 'b');
    append_values(*log, partition, small);
    append_values(*log, partition, {big});
    append_values(*log, partition, small);
    read_records(factory, *log, partition, 81);

    const auto reader = ok(log->open_reader(partition, ok(log->offsets(partition)).begin));
    const OffsetRange range = ok(log->offsets(partition));
    std::size_t count = 0;
    while (reader->position() < range.end) {
      const auto records = ok(reader->fetch({.records = 1000, .bytes = 10'000}));
      std::size_t bytes = 0;
      for (const Record& record : records) bytes += record.value->size();
      const bool within = bytes <= 10'000;
      const bool alone = records.size() == 1;
      CHECK((within || alone));
      count += records.size();
    }
    CHECK(count == 81);
  }

  SUBCASE("everything of one fetch is valid together") {
    const auto values = numbered(3000, 200);
    append_values(*log, partition, values);
    read_records(factory, *log, partition, values.size());

    const auto reader = ok(log->open_reader(partition, ok(log->offsets(partition)).begin));
    std::vector<std::string> seen;
    while (seen.size() < values.size()) {
      const auto records = ok(reader->fetch({.records = 5000, .bytes = 8 << 20}));
      append_values(*log, {partition.topic, 0}, {"meanwhile"});
      for (const Record& record : records) seen.emplace_back(record.value.value());
    }
    CHECK(seen == values);
  }

  SUBCASE("a reader at the end sees what another handle appends later") {
    const auto other = factory.open();
    const auto reader = ok(log->open_reader(partition, ok(log->offsets(partition)).begin));
    std::vector<std::string> seen;
    for (int round = 0; round < 5; ++round) {
      CHECK(ok(reader->fetch({})).empty());
      append_values(*other, partition, {std::to_string(round)});
      const auto deadline = std::chrono::steady_clock::now() + factory.patience;
      while (seen.size() <= static_cast<std::size_t>(round) &&
             std::chrono::steady_clock::now() < deadline) {
        for (const Record& record : ok(reader->fetch({}))) seen.emplace_back(record.value.value());
        if (seen.size() <= static_cast<std::size_t>(round)) {
          log->wait_for_records(std::chrono::milliseconds(50));
        }
      }
    }
    CHECK(seen == numbered(5));
  }
}

void check_positions(LogFactory& factory) {
  const auto log = factory.open();
  const TopicPartition partition{factory.unique("positions"), 0};
  ok(log->create_topic(partition.topic, 1));

  SUBCASE("an empty partition begins where it ends") {
    const OffsetRange range = ok(log->offsets(partition));
    CHECK(range.begin == range.end);
    const auto reader = ok(log->open_reader(partition, range.begin));
    CHECK(ok(reader->fetch({})).empty());
    CHECK(reader->position() == range.end);
    CHECK(ok(log->offset_at(partition, noon_ms)) == range.end);
  }

  SUBCASE("a reader starts at any record and seeks to any other") {
    const auto offsets = append_values(*log, partition, numbered(500, 1000));
    read_records(factory, *log, partition, 500);

    const auto reader = ok(log->open_reader(partition, offsets[123]));
    CHECK(reader->position() == offsets[123]);
    CHECK(ok(reader->fetch({}))[0].offset == offsets[123]);
    CHECK(reader->position() > offsets[123]);
    for (const std::size_t index : {499, 0, 250, 251, 250}) {
      CAPTURE(index);
      ok(reader->seek(offsets[index]));
      CHECK(reader->position() == offsets[index]);
      const auto records = ok(reader->fetch({.records = 2, .bytes = 1 << 20}));
      REQUIRE(!records.empty());
      CHECK(records[0].offset == offsets[index]);
      CHECK(records[0].value == numbered(500, 1000)[index]);
    }
  }

  SUBCASE("the position after the last record is the end also behind a transaction") {
    const auto producer = ok(log->open_producer(factory.unique("group"), "w0"));
    const TopicPartition input{factory.unique("input"), 0};
    ok(log->create_topic(input.topic, 1));
    NewRecord record;
    record.topic = partition.topic;
    record.value = "v";
    record.timestamp_ms = noon_ms;
    const host::Mark mark{input, 1, ""};
    const host::Publication publication{{&mark, 1}, {&record, 1}};
    for (int i = 0; i < 3; ++i) ok(producer->publish({&publication, 1}));
    CHECK(read_records(factory, *log, partition, 3).size() == 3);

    const OffsetRange range = ok(log->offsets(partition));
    const auto reader = ok(log->open_reader(partition, range.begin));
    const auto deadline = std::chrono::steady_clock::now() + factory.patience;
    while (reader->position() < range.end && std::chrono::steady_clock::now() < deadline) {
      ok(reader->fetch({}));
    }
    CHECK(reader->position() >= range.end);
    CHECK(ok(reader->fetch({})).empty());
  }

  SUBCASE("a position outside of the partition is not found and a seek mends it") {
    const auto offsets = append_values(*log, partition, numbered(3));
    read_records(factory, *log, partition, 3);
    const OffsetRange range = ok(log->offsets(partition));

    const auto reader = ok(log->open_reader(partition, range.end + 1));
    const auto beyond = reader->fetch({});
    REQUIRE(!beyond);
    CHECK(beyond.error().code == Errc::not_found);
    CHECK(beyond.error().message.find(partition.topic) != std::string::npos);
    ok(reader->seek(-1));
    CHECK(reader->fetch({}).error().code == Errc::not_found);
    ok(reader->seek(offsets[2]));
    CHECK(ok(reader->fetch({})).size() == 1);
  }

  SUBCASE("a time leads to the first record of that time or later") {
    append_at(*log, partition,
              {noon_ms, noon_ms + 20, noon_ms + 10, noon_ms + 30, noon_ms + 30, noon_ms + 40});
    const auto records = read_records(factory, *log, partition, 6);
    REQUIRE(records.size() == 6);
    const auto offset_at = [&](std::int64_t after_ms) {
      return ok(log->offset_at(partition, noon_ms + after_ms));
    };

    CHECK(offset_at(-1000) == records[0].offset);
    CHECK(offset_at(0) == records[0].offset);
    CHECK(offset_at(1) == records[1].offset);
    CHECK(offset_at(20) == records[1].offset);
    CHECK(offset_at(21) == records[3].offset);
    CHECK(offset_at(40) == records[5].offset);
    CHECK(offset_at(41) == ok(log->offsets(partition)).end);
  }
}

}  // namespace weir::test
