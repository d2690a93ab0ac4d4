#include <doctest/doctest.h>
#include <signal.h>

#include <cerrno>
#include <set>
#include <string>

#include "log/child_process.hpp"
#include "log/contract.hpp"
#include "log/disk_faults.hpp"
#include "log/embedded_log.hpp"
#include "support/temp_dir.hpp"

// What a kill, a full disk and a broken disk leave behind, at every step of an append and of a
// publish: the log's own steps, and every write and sync that LMDB makes.

namespace weir::host {
namespace {

using test::ok;

const TopicPartition left{"left", 0};
const TopicPartition right{"right", 1};
const TopicPartition input{"input", 0};
const TopicPartition input_1{"input", 1};

std::unique_ptr<EmbeddedLog> open(const std::filesystem::path& directory,
                                  std::function<void(std::string_view)> step = {}) {
  return ok(EmbeddedLog::open({.directory = directory, .step = std::move(step)}));
}

void make_topics(Log& log) {
  ok(log.create_topic("left", 1));
  ok(log.create_topic("right", 2));
  ok(log.create_topic("input", 2));
}

/// Records for two topics: several batches in one of them.
std::vector<NewRecord> records(std::string_view value) {
  static const std::string key(100'000, 'k');
  std::vector<NewRecord> out;
  for (int i = 0; i < 6; ++i) {
    NewRecord record;
    record.topic = i == 3 ? "right" : "left";
    record.partition = i == 3 ? 1 : 0;
    record.key = key;
    record.value = value;
    out.push_back(record);
  }
  return out;
}

Result<void> publish(Producer& producer, const std::vector<NewRecord>& outputs,
                     const std::string& id) {
  const std::vector<Mark> marks = {{input, 11, id}};
  const std::vector<Mark> marks_1 = {{input_1, 12, id}};
  const std::vector<Publication> publications = {{marks, outputs}, {marks_1, {}}};
  return producer.publish(publications);
}

std::size_t count(Log& log, const TopicPartition& partition, std::string_view value) {
  std::size_t out = 0;
  for (const auto& record : test::read_to_end(log, partition)) out += record.value == value;
  return out;
}

/// Whether it all happened; fails when a part of it did.
bool happened(Log& log, std::string_view value) {
  const std::size_t in_left = count(log, left, value);
  const std::size_t in_right = count(log, right, value);
  const bool all = in_left == 5 && in_right == 1;
  const bool none = in_left == 0 && in_right == 0;
  CHECK((all || none));
  return all;
}

bool published(Log& log, const std::string& id) {
  const bool records_there = happened(log, id);
  const auto mark = ok(log.committed("group", input));
  const auto mark_1 = ok(log.committed("group", input_1));
  const bool marked = mark && mark->metadata == id;
  CHECK(marked == (mark_1 && mark_1->metadata == id));
  CHECK(marked == records_there);
  return marked;
}

}  // namespace

TEST_CASE("embedded log: a kill at any step leaves all or nothing and a log that works") {
  std::set<std::string> steps;
  int appended_count = 0;
  int published_count = 0;
  int kill_count = 0;
  for (int kill_at = 1;; ++kill_at) {
    CAPTURE(kill_at);
    const test::TempDir directory;
    make_topics(*open(directory.path()));

    test::ChildProcess child([&](const test::ChildProcess::Say& say) {
      int at = 0;
      const auto step = [&](std::string_view name) {
        if (++at != kill_at) return;
        say(std::string(name) + "\n");
        kill(getpid(), SIGKILL);
      };
      const auto log = open(directory.path(), step);
      const auto producer = ok(log->open_producer("group", "w0"));
      at = 0;
      const test::DiskFaults disk([&](std::string_view call) {
        step(call);
        return 0;
      });
      ok(log->append(records("appended")));
      say("appended\n");
      ok(publish(*producer, records("published"), "published"));
      say("published\n");
    });
    const auto end = child.wait();
    const bool said_appended = end.said.find("appended\n") != std::string::npos;
    const bool said_published = end.said.find("published\n") != std::string::npos;

    const auto log = open(directory.path());
    const bool is_appended = happened(*log, "appended");
    const bool is_published = published(*log, "published");
    CHECK((is_appended || !said_appended));
    CHECK((is_published || !said_published));
    CHECK((is_appended || !is_published));

    const auto producer = ok(log->open_producer("group", "w0"));
    ok(log->append(records("appended after")));
    ok(publish(*producer, records("published after"), "published after"));
    CHECK(happened(*log, "appended after"));
    CHECK(published(*log, "published after"));

    if (end.signal == 0) {
      CHECK(end.exit_code == 0);
      CHECK(said_published);
      break;
    }
    CHECK(end.signal == SIGKILL);
    const std::size_t line = said_appended ? std::string("appended\n").size() : 0;
    steps.insert(end.said.substr(line, end.said.find('\n', line) - line));
    appended_count += is_appended;
    published_count += is_published;
    ++kill_count;
  }
  for (const char* name :
       {"begin", "records", "next batch", "mark", "commit", "return", "pwrite", "fdatasync"}) {
    CAPTURE(name);
    CHECK(steps.count(name) == 1);
  }
  // The kills fell on both sides of both decisions.
  CHECK(kill_count > appended_count);
  CHECK(appended_count > published_count);
  CHECK(published_count > 0);
  MESSAGE(kill_count, " kills: ", appended_count, " after the append was decided, ",
          published_count, " after the publish was");
}

TEST_CASE("embedded log: a disk that is full at any write loses nothing and is used again later") {
  for (int full_at = 1;; ++full_at) {
    CAPTURE(full_at);
    const test::TempDir directory;
    const auto log = open(directory.path());
    make_topics(*log);
    ok(log->append(records("before")));
    const auto producer = ok(log->open_producer("group", "w0"));

    int write_count = 0;
    int failure_count = 0;
    const std::vector<NewRecord> outputs = records("published");
    {
      const test::DiskFaults disk([&](std::string_view call) {
        if (call == "fdatasync" || ++write_count != full_at) return 0;
        ++failure_count;
        return ENOSPC;
      });
      const auto refused = publish(*producer, outputs, "published");
      if (failure_count == 0) {
        ok(refused);
        CHECK(published(*log, "published"));
        CHECK(full_at > 3);
        break;
      }
      REQUIRE(!refused);
      if (refused.error().code == Errc::unavailable) continue;  // the deciding write; see below
      CHECK(refused.error().code == Errc::full);
      CHECK(refused.error().message.find(directory.path().string()) != std::string::npos);
    }
    CHECK(!published(*log, "published"));
    CHECK(happened(*log, "before"));
    ok(publish(*producer, outputs, "published"));
    CHECK(published(*log, "published"));
  }
}

TEST_CASE("embedded log: a disk that breaks at the deciding write leaves an unknown outcome") {
  int unknown_count = 0;
  for (int broken_at = 1;; ++broken_at) {
    CAPTURE(broken_at);
    const test::TempDir directory;
    int call_count = 0;
    bool unknown = false;
    {
      const auto log = open(directory.path());
      make_topics(*log);
      const auto producer = ok(log->open_producer("group", "w0"));
      const std::vector<NewRecord> outputs = records("published");
      Result<void> outcome;
      {
        const test::DiskFaults disk(
            [&](std::string_view) { return ++call_count == broken_at ? EIO : 0; });
        outcome = publish(*producer, outputs, "published");
      }
      if (call_count < broken_at) {
        ok(outcome);
        break;
      }
      REQUIRE(!outcome);
      unknown = outcome.error().code == Errc::unavailable;
      if (!unknown) {
        CHECK(outcome.error().code == Errc::io);
        CHECK(!published(*log, "published"));
        ok(publish(*producer, outputs, "published"));
      }
      unknown_count += unknown;
    }
    const auto log = open(directory.path());
    const auto producer = ok(log->open_producer("group", "w0"));
    const bool is_published = published(*log, "published");
    CHECK((is_published || unknown));
    ok(publish(*producer, records("again"), "again"));
    CHECK(published(*log, "again"));
  }
  CHECK(unknown_count == 1);
}

TEST_CASE("embedded log: a full map refuses whole appends and a larger one goes on") {
  const test::TempDir directory;
  const std::string value(50'000, 'v');
  std::int64_t kept = 0;
  {
    const auto log =
        ok(EmbeddedLog::open({.directory = directory.path(), .map_bytes = 1 << 20, .sync = false}));
    make_topics(*log);
    Result<std::vector<std::int64_t>> appended = std::vector<std::int64_t>{};
    while (appended) {
      NewRecord small;
      small.topic = "right";
      small.value = "small";
      NewRecord big;
      big.topic = "left";
      big.value = value;
      appended = log->append(std::vector{small, big});
      kept += appended.has_value();
    }
    CHECK(appended.error().code == Errc::full);
    CHECK(appended.error().message.find("raise log.embedded.map_size") != std::string::npos);
    CHECK(kept > 3);
    CHECK(test::read_to_end(*log, left).size() == static_cast<std::size_t>(kept));
    CHECK(test::read_to_end(*log, {"right", 0}).size() == static_cast<std::size_t>(kept));
    CHECK(EmbeddedLog::open({.directory = directory.path(), .map_bytes = 2 << 20}).error().code ==
          Errc::refused);
  }
  const auto log =
      ok(EmbeddedLog::open({.directory = directory.path(), .map_bytes = 4 << 20, .sync = false}));
  test::append_values(*log, left, {value});
  CHECK(ok(log->offsets(left)).end == kept + 1);
  CHECK(test::read_to_end(*log, left).size() == static_cast<std::size_t>(kept + 1));
}

}  // namespace weir::host
