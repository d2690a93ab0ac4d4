#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "log/contract.hpp"
#include "log/embedded_log.hpp"
#include "log/memory_log.hpp"
#include "support/temp_dir.hpp"

// Does the port suffice for a host that lets the log decide? This one publishes outputs, changelog
// and marks in one publish(), and only then applies them to its own store. It knows a commit by the
// id in the mark's metadata, and catches up from the changelog. It is killed at every step, once
// and twice, and must end with exact results each time.

namespace weir::host {
namespace {

using test::ok;

/// A step at which the host dies: everything but the log and the disk is gone.
struct Crash {};

/// What survives a crash beside the log.
struct Disk {
  std::map<std::string, int> counts;  ///< how often each key was seen
  std::string commit_id;              ///< of the last commit applied
  std::int64_t changelog_position = 0;
  int execution_count = 0;  ///< makes every commit id new, also for the same records
};

struct Topics {
  TopicPartition input{"input", 0};
  TopicPartition output{"output", 0};
  TopicPartition changelog{"changelog", 0};
};

class Host {
 public:
  enum class Recovery {
    by_commit_id,
    none,  ///< a mistake: trusts the store, whatever the log says
  };
  using Step = std::function<void(const std::string& name)>;

  Host(Log& log, Disk& disk, Step step, Recovery recovery)
      : log_(log), disk_(disk), step_(std::move(step)) {
    step_("open producer");
    producer_ = ok(log_.open_producer("app", "w0"));
    const auto mark = ok(log_.committed("app", topics_.input));
    if (mark) next_offset_ = mark->next_offset;
    committed_id_ = mark ? mark->metadata : "";
    if (recovery == Recovery::by_commit_id && committed_id_ != disk_.commit_id) replay();
    disk_.commit_id = committed_id_;
  }

  /// Commits batches until the input's end. Errc::unavailable and Errc::refused end this host.
  Result<void> run(std::int64_t until) {
    const auto reader = ok(log_.open_reader(topics_.input, next_offset_));
    while (reader->position() < until) {
      step_("fetch");
      const auto records = ok(reader->fetch({.records = 2}));
      WEIR_CHECK(commit(records, reader->position()));
    }
    return commit({}, next_offset_);  // as a timer would: outputs, and no offset moves
  }

 private:
  Result<void> commit(std::span<const Record> records, std::int64_t next_offset) {
    std::map<std::string, int> changes;
    std::vector<std::string> outputs;
    for (const Record& record : records) {
      const std::string key(*record.key);
      const auto stored = disk_.counts.find(key);
      changes.try_emplace(key, stored == disk_.counts.end() ? 0 : stored->second);
      outputs.push_back(key + "=" + std::to_string(++changes[key]));
    }
    if (records.empty()) {
      if (committed_id_.starts_with("timer")) return {};
      outputs.push_back("timer");
    }
    const std::string id =
        (records.empty() ? "timer " : "commit ") + std::to_string(++disk_.execution_count);
    WEIR_CHECK(publish(id, changes, outputs, next_offset));
    committed_id_ = id;
    next_offset_ = next_offset;
    apply(changes, id);
    return {};
  }

  Result<void> publish(const std::string& id, const std::map<std::string, int>& changes,
                       const std::vector<std::string>& outputs, std::int64_t next_offset) {
    std::vector<std::string> values;
    for (const auto& [key, count] : changes) values.push_back(std::to_string(count));
    std::vector<NewRecord> records;
    const auto add = [&](const TopicPartition& to, MaybeBytes key, std::string_view value) {
      NewRecord record;
      record.topic = to.topic;
      record.partition = to.partition;
      record.key = key;
      record.value = value;
      records.push_back(record);
    };
    std::size_t index = 0;
    for (const auto& [key, count] : changes) add(topics_.changelog, key, values[index++]);
    add(topics_.changelog, std::nullopt, id);  // closes the commit in the changelog
    for (const std::string& output : outputs) add(topics_.output, std::nullopt, output);
    const Mark mark{topics_.input, next_offset, id};
    const Publication publication{{&mark, 1}, records};
    step_("publish");
    WEIR_CHECK(producer_->publish({&publication, 1}));
    step_("published");
    return {};
  }

  /// One step after another, as a store would that is not even atomic.
  void apply(const std::map<std::string, int>& changes, const std::string& id) {
    for (const auto& [key, count] : changes) {
      step_("apply");
      disk_.counts[key] = count;
    }
    step_("apply id");
    disk_.commit_id = id;
  }

  /// Applies the changelog from where the store was known to be whole to the log's last commit.
  void replay() {
    const std::int64_t end = ok(log_.offsets(topics_.changelog)).end;
    const auto reader = ok(log_.open_reader(topics_.changelog, disk_.changelog_position));
    std::string last_id;
    while (reader->position() < end) {
      step_("replay");
      for (const Record& record : ok(reader->fetch({.records = 1}))) {
        if (record.key) {
          disk_.counts[std::string(*record.key)] = std::stoi(std::string(*record.value));
        } else {
          last_id = *record.value;
        }
      }
    }
    CHECK(last_id == committed_id_);
    step_("replayed");
    disk_.changelog_position = end;
  }

  Log& log_;
  Disk& disk_;
  Step step_;
  Topics topics_;
  std::unique_ptr<Producer> producer_;
  std::int64_t next_offset_ = 0;
  std::string committed_id_;
};

const std::vector<std::string> keys = {"a", "b", "a", "c", "b", "a", "a"};

std::int64_t make_input(Log& log) {
  for (const char* name : {"input", "output", "changelog"}) ok(log.create_topic(name, 1));
  std::vector<NewRecord> records;
  for (const std::string& key : keys) {
    NewRecord record;
    record.topic = "input";
    record.key = key;
    records.push_back(record);
  }
  ok(log.append(records));
  return ok(log.offsets({"input", 0})).end;
}

std::vector<std::string> expected_outputs() {
  std::map<std::string, int> counts;
  std::vector<std::string> out;
  for (const std::string& key : keys) out.push_back(key + "=" + std::to_string(++counts[key]));
  out.emplace_back("timer");
  return out;
}

struct Outcome {
  Disk disk;
  std::vector<std::string> outputs;
  int step_count = 0;
  bool exact = false;
};

/// Runs hosts until one gets through; the host of life i dies at its step `crash_at[i]`.
Outcome run_lives(Log& log, std::int64_t until, const std::vector<int>& crash_at,
                  Host::Recovery recovery = Host::Recovery::by_commit_id) {
  Outcome out;
  for (std::size_t life = 0; life < 20; ++life) {
    out.step_count = 0;
    const int limit = life < crash_at.size() ? crash_at[life] : 0;
    try {
      Host host(
          log, out.disk,
          [&](const std::string&) {
            if (++out.step_count == limit) throw Crash{};
          },
          recovery);
      const auto done = host.run(until);
      if (done) break;
      CHECK(done.error().code == Errc::unavailable);
    } catch (const Crash&) {
    }
  }
  out.outputs = test::values_of(test::read_to_end(log, {"output", 0}));
  const std::map<std::string, int> counts = {{"a", 4}, {"b", 2}, {"c", 1}};
  out.exact = out.outputs == expected_outputs() && out.disk.counts == counts;
  return out;
}

}  // namespace

TEST_CASE("kafka first: results are exact after a crash at any step and at any two") {
  MemoryLog calm({.commit_markers = true});
  const Outcome undisturbed = run_lives(calm, make_input(calm), {});
  REQUIRE(undisturbed.exact);
  REQUIRE(undisturbed.step_count > 15);

  for (int first = 1; first <= undisturbed.step_count; ++first) {
    for (int second = 0; second <= undisturbed.step_count; ++second) {
      CAPTURE(first);
      CAPTURE(second);
      MemoryLog log({.commit_markers = true});
      const Outcome outcome = run_lives(log, make_input(log), {first, second});
      CHECK(outcome.exact);
      CHECK(outcome.disk.commit_id.starts_with("timer"));
    }
  }
}

TEST_CASE("kafka first: results are exact whichever publish gets no answer") {
  for (const auto fault : {MemoryLog::PublishFault::lost, MemoryLog::PublishFault::answer_lost}) {
    for (std::uint64_t nth = 1; nth <= 5; ++nth) {
      for (int crash_at = 0; crash_at <= 12; ++crash_at) {
        CAPTURE(nth);
        CAPTURE(crash_at);
        MemoryLog log({.commit_markers = true});
        const std::int64_t until = make_input(log);
        log.fail_publish(nth, fault);
        log.fail_publish(nth + 1, fault);
        CHECK(run_lives(log, until, {crash_at, crash_at}).exact);
      }
    }
  }
}

TEST_CASE("kafka first: results are exact on the embedded log after a crash at any step") {
  for (int first = 1; first <= 22; ++first) {
    CAPTURE(first);
    const test::TempDir directory;
    const auto log = ok(EmbeddedLog::open({.directory = directory.path(), .sync = false}));
    CHECK(run_lives(*log, make_input(*log), {first, 3}).exact);
  }
}

TEST_CASE("kafka first: a host that was replaced publishes nothing more") {
  MemoryLog log({.commit_markers = true});
  const std::int64_t until = make_input(log);
  Disk frozen_disk;
  bool replaced = false;
  Result<void> ended;
  {
    // Frozen just before its second publish; meanwhile another host does all the work.
    int publish_count = 0;
    Host frozen(
        log, frozen_disk,
        [&](const std::string& step) {
          if (step != "publish" || ++publish_count != 2) return;
          const auto handle = log.another_handle();
          replaced = run_lives(*handle, until, {}).disk.commit_id.starts_with("timer");
        },
        Host::Recovery::by_commit_id);
    ended = frozen.run(until);
  }
  CHECK(replaced);
  REQUIRE(!ended);
  CHECK(ended.error().code == Errc::refused);
  CHECK(test::values_of(test::read_to_end(log, {"output", 0})) == expected_outputs());
}

// The crashes above would find it: the same host without the comparison of commit ids.
TEST_CASE("kafka first: a host that trusts its store gets it wrong") {
  int wrong_count = 0;
  for (int first = 1; first <= 22; ++first) {
    MemoryLog log({.commit_markers = true});
    wrong_count += !run_lives(log, make_input(log), {first}, Host::Recovery::none).exact;
  }
  CHECK(wrong_count > 0);
}

}  // namespace weir::host
