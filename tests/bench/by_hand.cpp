// The loop that a careful team writes for one job, without a host: the same log, the same decoding,
// the same generated Protobuf code; State, offsets and features commit in one LMDB transaction with
// fsync and a checksum on every value; features are published after it, on another thread, under a
// commit id that travels with the offsets.
//
// It has nothing of what makes a host a host: failed calls, bounded memory, schema checks, dead
// letters, several resolvers, code that is loaded and replaced.
#include <tsl/robin_map.h>

#include <deque>
#include <future>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/clock.hpp"
#include "bench/hand_jobs.hpp"
#include "bench/hand_store.hpp"
#include "bench/run.hpp"
#include "publish/commit_id.hpp"
#include "resolve/schemas.hpp"

namespace weir::host::bench {

namespace {

constexpr std::uint64_t commit_records_default = 100'000'000;
constexpr std::size_t commit_bytes_max = std::size_t{1} << 30;
constexpr std::int64_t never_ms = std::int64_t{1} << 40;

template <typename Job>
class ByHand {
 public:
  ByHand(const Setting& setting, const Case& one, int number)
      : one_(one),
        commit_records_(setting.commit_records == 0 ? commit_records_default
                                                    : setting.commit_records),
        commit_ms_(setting.commit_records == 0 ? one.commit_ms : never_ms),
        group_(fmt::format("bench-{}", number)),
        out_(fmt::format("out-{}", number)),
        input_{one.topic(), 0},
        log_(open_log(setting)),
        store_(setting.directory / fmt::format("state-{}", number)),
        schemas_(or_fail(Schemas::parse(or_fail(read_plugin_file(plugin_path(one))).schemas))),
        decoder_(or_fail(make_decoder({.kind = one.format}, schemas_.message(one.message())))),
        reader_(or_fail(log_->open_reader(input_, 0))),
        producer_(or_fail(log_->open_producer(group_, "0"))) {
    if (one.features) or_fail(log_->create_topic(out_, 1));
  }

  Measured run() {
    const std::int64_t end = or_fail(log_->offsets(input_)).end;
    const std::int64_t wall = wall_ns();
    const std::int64_t cpu = process_cpu_ns();
    std::int64_t open_since_ms = clock_.steady_ms();
    std::uint64_t open_records = 0;
    while (next_offset_ < end) {
      const auto records = or_fail(reader_->fetch({}));
      handle(records);
      open_records += records.size();
      const std::int64_t now_ms = clock_.steady_ms();
      if (open_records >= commit_records_ || outbox_.bytes() >= commit_bytes_max ||
          now_ms - open_since_ms >= commit_ms_) {
        commit();
        open_since_ms = clock_.steady_ms();  // as the host counts: from the first record on
        open_records = 0;
      }
    }
    commit();
    await_publication();

    Measured measured;
    measured.wall_s = static_cast<double>(wall_ns() - wall) / 1e9;
    measured.cpu_s = static_cast<double>(process_cpu_ns() - cpu) / 1e9;
    measured.records = records_;
    measured.commits = commits_;
    for (const auto& entry : entries_) measured.checksum += Job::weigh(entry.state);
    return measured;
  }

 private:
  using Entry = typename Store<typename Job::State>::Entry;
  struct Hash {
    std::size_t operator()(std::string_view key) const {
      return XXH3_64bits(key.data(), key.size());
    }
  };

  void handle(std::span<const Record> records) {
    for (const Record& record : records) {
      const auto wire = decoder_->decode(*record.value, arena_);
      if (!wire || !message_.ParseFromArray(wire->data(), static_cast<int>(wire->size()))) {
        ++undecodable_;
        continue;
      }
      Entry& entry = find(Job::key(*record.key, message_));
      if (Job::apply(message_, entry.state) && !entry.changed) {
        entry.changed = true;
        changed_.push_back(&entry);
      }
      if (one_.features) {
        Job::tell(message_, entry.state, feature_);
        outbox_.append(entry.key, record.timestamp_ms, feature_);
      }
    }
    arena_.reset();
    records_ += records.size();
    next_offset_ = reader_->position();
  }

  Entry& find(std::string_view key) {
    const auto found = by_key_.find(key);
    if (found != by_key_.end()) return *found->second;
    Entry& entry = entries_.emplace_back();
    entry.key = key;
    store_.load(entry);
    by_key_.emplace(entry.key, &entry);
    return entry;
  }

  void commit() {
    await_publication();
    v1::Head head;
    v1::CommitId& id = *head.mutable_commit();
    id.set_lineage(1);
    id.set_sequence(++commits_);
    id.set_nonce(commits_);
    v1::Input& input = *head.add_inputs();
    input.set_topic(input_.topic);
    input.set_next_offset(next_offset_);
    store_.commit(changed_, outbox_.chunks(), head);
    if (outbox_.chunks().empty()) return;
    publishing_ =
        std::async(std::launch::async, [this, outbox = std::exchange(outbox_, {}),
                                        mark = Mark{input_, next_offset_, to_metadata(id)}] {
          const std::vector<NewRecord> records = outbox.records(out_);
          const Publication publication{{&mark, 1}, records};
          or_fail(producer_->publish({&publication, 1}));
        });
  }

  void await_publication() {
    if (publishing_.valid()) publishing_.get();
  }

  const Case one_;
  const std::uint64_t commit_records_;
  const std::int64_t commit_ms_;
  std::string group_;
  std::string out_;
  TopicPartition input_;
  std::unique_ptr<Log> log_;
  Store<typename Job::State> store_;
  Schemas schemas_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Producer> producer_;
  SystemClock clock_;
  Arena arena_;
  std::deque<Entry> entries_;
  tsl::robin_map<std::string_view, Entry*, Hash, std::equal_to<>,
                 std::allocator<std::pair<std::string_view, Entry*>>, /*StoreHash=*/true>
      by_key_;  // keys point into entries_
  std::vector<Entry*> changed_;
  Outbox outbox_;
  std::future<void> publishing_;
  typename Job::Message message_;
  typename Job::Feature feature_;
  std::int64_t next_offset_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t commits_ = 0;
  std::uint64_t undecodable_ = 0;
};

}  // namespace

Measured run_by_hand(const Setting& setting, const Case& one, int number) {
  if (one.work == Case::Work::count) return ByHand<CountJob>(setting, one, number).run();
  return ByHand<UniqueIpsJob>(setting, one, number).run();
}

}  // namespace weir::host::bench
