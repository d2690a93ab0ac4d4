// The loop that a careful team writes for one job, without a host: the same log, the same decoding,
// the same generated Protobuf code; State, offsets and features commit in one LMDB transaction with
// fsync and a checksum on every value; features are published after it, on another thread, under a
// commit id that travels with the offsets.
//
// It has nothing of what makes a host a host: failed calls, bounded memory, schema checks, dead
// letters, several resolvers, code that is loaded and replaced.
#include <lmdb.h>
#include <tsl/robin_map.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <future>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "bench/run.hpp"
#include "commit/row.hpp"
#include "line.pb.h"
#include "publish/commit_id.hpp"
#include "resolve/schemas.hpp"
#include "unique_ips.pb.h"

namespace weir::host::bench {

namespace {

constexpr std::uint64_t commit_records_default = 100'000'000;
constexpr std::size_t commit_bytes_max = std::size_t{1} << 30;
constexpr std::int64_t never_ms = std::int64_t{1} << 40;
constexpr std::size_t outbox_chunk_bytes = std::size_t{256} << 10;

struct CountJob {
  using Message = line::Click;
  using State = line::Clicks;
  using Feature = line::Counted;

  static std::string_view key(const Record& record, const Message&) { return *record.key; }
  /// Has the State changed?
  static bool apply(const Message&, State& state) {
    state.set_count(state.count() + 1);
    return true;
  }
  static void tell(const Message& message, const State& state, Feature& feature) {
    feature.set_user_id(message.user_id());
    feature.set_count(state.count());
  }
  static std::uint64_t weigh(const State& state) {
    return static_cast<std::uint64_t>(state.count());
  }
};

struct UniqueIpsJob {
  using Message = unique_ips::Visit;
  using State = unique_ips::Ips;
  using Feature = unique_ips::UniqueIps;

  static std::string_view key(const Record&, const Message& message) { return message.user_id(); }
  static bool apply(const Message& message, State& state) {
    return state.mutable_seen()->insert({message.ip(), true}).second;
  }
  static void tell(const Message& message, const State& state, Feature& feature) {
    feature.set_user_id(message.user_id());
    feature.set_unique_ips(state.seen_size());
  }
  static std::uint64_t weigh(const State& state) {
    return static_cast<std::uint64_t>(state.seen_size());
  }
};

void ok(int code) { WEIR_ASSERT(code == 0, mdb_strerror(code)); }

MDB_val to_val(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }

/// One environment: States, the outbox, and how far the log has been read.
template <typename State>
class Store {
 public:
  struct Entry {
    std::string key;
    State state;
    bool changed = false;
  };

  explicit Store(const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory);
    ok(mdb_env_create(&env_));
    ok(mdb_env_set_mapsize(env_, std::size_t{64} << 30));
    ok(mdb_env_set_maxdbs(env_, 4));
    ok(mdb_env_open(env_, directory.c_str(), MDB_NOTLS, 0644));
    MDB_txn* txn = nullptr;
    ok(mdb_txn_begin(env_, nullptr, 0, &txn));
    ok(mdb_dbi_open(txn, "states", MDB_CREATE, &states_));
    ok(mdb_dbi_open(txn, "outbox", MDB_CREATE, &outbox_));
    ok(mdb_dbi_open(txn, "meta", MDB_CREATE, &meta_));
    ok(mdb_txn_commit(txn));
    ok(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reading_));
  }
  ~Store() {
    mdb_txn_abort(reading_);
    mdb_env_close(env_);
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void load(Entry& entry) {
    MDB_val key = to_val(entry.key);
    MDB_val value{};
    const int code = mdb_get(reading_, states_, &key, &value);
    if (code == MDB_NOTFOUND) return;
    ok(code);
    Row row;
    const std::string_view stored(static_cast<const char*>(value.mv_data), value.mv_size);
    WEIR_ASSERT(read_row(entry.key, stored, row) == RowFault::none, "its own store");
    WEIR_ASSERT(
        entry.state.ParseFromArray(row.payload.data(), static_cast<int>(row.payload.size())),
        "its own State");
  }

  void commit(std::vector<Entry*>& changed, std::span<const std::string> outbox,
              const v1::Head& head) {
    std::sort(changed.begin(), changed.end(),
              [](const Entry* a, const Entry* b) { return a->key < b->key; });
    MDB_txn* txn = nullptr;
    ok(mdb_txn_begin(env_, nullptr, 0, &txn));
    MDB_cursor* cursor = nullptr;
    ok(mdb_cursor_open(txn, states_, &cursor));
    for (Entry* entry : changed) {
      const std::size_t size = entry->state.ByteSizeLong();
      MDB_val key = to_val(entry->key);
      MDB_val value{row_header_bytes + size, nullptr};
      ok(mdb_cursor_put(cursor, &key, &value, MDB_RESERVE));
      auto* row = static_cast<char*>(value.mv_data);
      auto* payload = reinterpret_cast<std::uint8_t*>(row) + row_header_bytes;
      entry->state.SerializeWithCachedSizesToArray(payload);
      write_row_header(row, entry->key, 1, {row + row_header_bytes, size});
      entry->changed = false;
    }
    mdb_cursor_close(cursor);
    changed.clear();
    if (outbox_used_) ok(mdb_drop(txn, outbox_, 0));
    for (std::uint32_t i = 0; i < outbox.size(); ++i) {
      put(txn, outbox_, {reinterpret_cast<const char*>(&i), sizeof i}, outbox[i]);
    }
    put(txn, meta_, "head", head.SerializeAsString());
    ok(mdb_txn_commit(txn));
    outbox_used_ = !outbox.empty();
    mdb_txn_reset(reading_);
    ok(mdb_txn_renew(reading_));
  }

 private:
  static void put(MDB_txn* txn, MDB_dbi table, std::string_view name, std::string_view payload) {
    MDB_val key = to_val(name);
    MDB_val value{row_header_bytes + payload.size(), nullptr};
    ok(mdb_put(txn, table, &key, &value, MDB_RESERVE));
    auto* row = static_cast<char*>(value.mv_data);
    if (!payload.empty()) std::memcpy(row + row_header_bytes, payload.data(), payload.size());
    write_row_header(row, name, 0, payload);
  }

  MDB_env* env_ = nullptr;
  MDB_dbi states_ = 0;
  MDB_dbi outbox_ = 0;
  MDB_dbi meta_ = 0;
  MDB_txn* reading_ = nullptr;
  bool outbox_used_ = false;
};

/// Features of one commit: key size, value size, timestamp, key, value; in chunks.
class Outbox {
 public:
  template <typename Feature>
  void append(std::string_view key, std::int64_t timestamp_ms, const Feature& feature) {
    if (chunks_.empty() || chunks_.back().size() >= outbox_chunk_bytes) chunks_.emplace_back();
    std::string& chunk = chunks_.back();
    const std::size_t size = feature.ByteSizeLong();
    append_le(chunk, static_cast<std::uint32_t>(key.size()));
    append_le(chunk, static_cast<std::uint32_t>(size));
    append_le(chunk, timestamp_ms);
    chunk += key;
    const std::size_t at = chunk.size();
    chunk.resize(at + size);
    feature.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(chunk.data()) + at);
    bytes_ += 16 + key.size() + size;
  }
  std::span<const std::string> chunks() const { return chunks_; }
  std::size_t bytes() const { return bytes_; }

  std::vector<NewRecord> records(const std::string& topic) const {
    std::vector<NewRecord> records;
    for (const std::string& chunk : chunks_) {
      for (std::size_t at = 0; at < chunk.size();) {
        const auto key_size = load_le<std::uint32_t>(&chunk[at]);
        const auto size = load_le<std::uint32_t>(&chunk[at + 4]);
        const auto timestamp_ms = load_le<std::int64_t>(&chunk[at + 8]);
        const std::string_view bytes = std::string_view(chunk).substr(at + 16, key_size + size);
        records.push_back({.topic = topic,
                           .partition = 0,
                           .key = bytes.substr(0, key_size),
                           .value = bytes.substr(key_size),
                           .headers = {},
                           .timestamp_ms = timestamp_ms});
        at += 16 + bytes.size();
      }
    }
    return records;
  }

 private:
  std::vector<std::string> chunks_;
  std::size_t bytes_ = 0;
};

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
      Entry& entry = find(Job::key(record, message_));
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
