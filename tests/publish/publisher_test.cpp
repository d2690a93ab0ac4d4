#include "publish/publisher.hpp"

#include <doctest/doctest.h>

#include <latch>
#include <thread>

#include "log/memory_log.hpp"
#include "publish/commit_id.hpp"

namespace weir::host {

namespace {

v1::CommitId id(std::uint64_t sequence) {
  v1::CommitId made;
  made.set_lineage(1);
  made.set_sequence(sequence);
  made.set_nonce(sequence * 1000);
  return made;
}

struct Fixture {
  MemoryLog log;
  TaskSinks sinks;
  OutboxWriter outbox{{"features"}};

  Fixture() {
    REQUIRE(log.create_topic("in", 1).has_value());
    REQUIRE(log.create_topic("out", 3).has_value());
    sinks.topics["features"] = TopicSink{"out", 3, Partitioner::murmur2};
  }
  PendingPublication pending(std::uint64_t sequence) {
    PendingPublication made;
    made.task = "visits-0";
    made.sinks = &sinks;
    made.inputs = {{"in", 0}};
    made.next_offsets = {static_cast<std::int64_t>(sequence)};
    made.id = id(sequence);
    if (sequence > 1) made.before = id(sequence - 1);
    made.chunks = outbox.chunks();
    return made;
  }
  std::size_t published() {
    std::size_t count = 0;
    for (std::int32_t partition = 0; partition < 3; ++partition) {
      const auto reader = log.open_reader({"out", partition}, 0);
      while (true) {
        const auto records = (*reader)->fetch({});
        REQUIRE(records.has_value());
        if (records->empty()) break;
        count += records->size();
      }
    }
    return count;
  }
};

}  // namespace

TEST_CASE("publisher: features and the commit id become visible together") {
  Fixture fixture;
  auto publisher = Publisher::open(fixture.log, {.group = "app", .id = "0"});
  REQUIRE(publisher.has_value());
  fixture.outbox.append({.key = "ana", .value = "1"});
  fixture.outbox.append({.key = "ben", .value = "2"});
  PendingPublication pending = fixture.pending(1);
  (*publisher)->submit(pending);
  REQUIRE((*publisher)->wait(pending).has_value());

  CHECK(fixture.published() == 2);
  const auto mark = fixture.log.committed("app", {"in", 0});
  REQUIRE((mark.has_value() && mark->has_value()));
  CHECK((*mark)->next_offset == 1);
  CHECK(same_commit(*parse_metadata((*mark)->metadata), id(1)));
}

TEST_CASE("publisher: it says what went out and since when somebody waits for it") {
  Fixture fixture;
  SystemClock clock;
  std::latch waited(1);
  auto publisher = Publisher::open(
      fixture.log,
      {.group = "app", .id = "0", .clock = &clock, .after_step = [&](std::string_view step) {
         if (step == "publish") waited.wait();
       }});
  REQUIRE(publisher.has_value());
  fixture.outbox.append({.key = "ana", .value = "1"});
  fixture.outbox.append({.key = "ben", .value = "2"});
  PendingPublication pending = fixture.pending(1);
  pending.submitted_us = clock.steady_us();
  CHECK_FALSE((*publisher)->waiting_since_ms());
  (*publisher)->submit(pending);
  {
    const std::jthread operator_thread([&] {
      while (!(*publisher)->waiting_since_ms()) std::this_thread::yield();
      waited.count_down();
    });
    REQUIRE((*publisher)->wait(pending).has_value());
  }

  CHECK_FALSE((*publisher)->waiting_since_ms());
  CHECK(pending.published == std::vector<std::pair<std::string, std::uint64_t>>{{"features", 2}});
  CHECK(pending.out_us >= pending.submitted_us);
}

TEST_CASE("publisher: it says since when a call into the log has not come back") {
  Fixture fixture;
  SystemClock clock;
  auto publisher = Publisher::open(fixture.log, {.group = "app", .id = "0", .clock = &clock});
  REQUIRE(publisher.has_value());
  PendingPublication pending = fixture.pending(1);
  CHECK_FALSE((*publisher)->calling_since_ms());
  const std::int64_t begun_ms = clock.steady_ms();
  fixture.log.hang(true);
  (*publisher)->submit(pending);
  std::optional<std::int64_t> since_ms;
  while (!since_ms) since_ms = (*publisher)->calling_since_ms();
  CHECK(*since_ms >= begun_ms);
  CHECK_FALSE((*publisher)->is_done(pending));

  fixture.log.hang(false);

  REQUIRE((*publisher)->wait(pending).has_value());
  CHECK_FALSE((*publisher)->calling_since_ms());
}

/// The first answer is lost, with or without what it was about, and so are those of `calls` to
/// come.
void check_published_once(std::uint64_t calls) {
  for (const bool took_effect : {false, true}) {
    CAPTURE(took_effect);
    Fixture fixture;
    auto publisher = Publisher::open(fixture.log, {.group = "app", .id = "0", .own_thread = false});
    REQUIRE(publisher.has_value());
    fixture.outbox.append({.key = "ana", .value = "1"});
    fixture.log.fail_publish(
        1, took_effect ? MemoryLog::PublishFault::answer_lost : MemoryLog::PublishFault::lost);
    fixture.log.go_away(calls);
    PendingPublication pending = fixture.pending(1);
    (*publisher)->submit(pending);

    CHECK((*publisher)->wait(pending).has_value());
    CHECK(fixture.published() == 1);
  }
}

TEST_CASE("publisher: an unknown outcome is looked up and neither lost nor repeated") {
  check_published_once(0);
}

TEST_CASE("publisher: a log that is away is waited for") { check_published_once(7); }

TEST_CASE("publisher: a newer host of the same app fences this one") {
  Fixture fixture;
  auto publisher = Publisher::open(fixture.log, {.group = "app", .id = "0", .own_thread = false});
  const auto newer = Publisher::open(fixture.log, {.group = "app", .id = "0", .own_thread = false});
  REQUIRE(newer.has_value());
  fixture.outbox.append({.key = "ana", .value = "1"});
  PendingPublication pending = fixture.pending(1);
  (*publisher)->submit(pending);
  const auto result = (*publisher)->wait(pending);

  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == Errc::refused);
  CHECK(fixture.published() == 0);
}

TEST_CASE("publisher: features for a sink that is gone are an error that names it") {
  Fixture fixture;
  auto publisher = Publisher::open(fixture.log, {.group = "app", .id = "0", .own_thread = false});
  fixture.outbox.append({.key = "ana", .value = "1"});
  fixture.sinks.topics.clear();
  PendingPublication pending = fixture.pending(1);
  (*publisher)->submit(pending);
  const auto result = (*publisher)->wait(pending);

  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().message.find("\"features\"") != std::string::npos);
}

TEST_CASE("publisher: a publication that fails takes none with it that goes out beside it") {
  Fixture fixture;
  REQUIRE(fixture.log.create_topic("in2", 1).has_value());
  REQUIRE(fixture.log.create_topic("in3", 1).has_value());
  fixture.outbox.append({.key = "ana", .value = "1"});
  PendingPublication first = fixture.pending(1);
  TaskSinks no_sinks;
  PendingPublication bad = fixture.pending(1);
  bad.inputs = {{"in2", 0}};
  bad.sinks = &no_sinks;
  PendingPublication good = fixture.pending(1);
  good.inputs = {{"in3", 0}};

  // The thread is held in the first publication until the others wait for one transaction.
  std::latch first_is_out(1);
  std::latch others_wait(1);
  auto publisher = Publisher::open(
      fixture.log,
      {.group = "app", .id = "0", .own_thread = true, .after_step = [&](std::string_view step) {
         if (step != "publish") return;
         if (first_is_out.try_wait()) return;
         first_is_out.count_down();
         others_wait.wait();
       }});
  REQUIRE(publisher.has_value());
  (*publisher)->submit(first);
  first_is_out.wait();
  (*publisher)->submit(bad);
  (*publisher)->submit(good);
  others_wait.count_down();

  CHECK((*publisher)->wait(first).has_value());
  CHECK_FALSE((*publisher)->wait(bad).has_value());
  CHECK((*publisher)->wait(good).has_value());
  CHECK(fixture.published() == 2);
  CHECK_FALSE(fixture.log.committed("app", {"in2", 0})->has_value());
}

}  // namespace weir::host
