// The program that a careful team writes for one job on Kafka, without a host: a thread a worker
// with partition queues of its own, generated Protobuf code (or simdjson, field by field), States
// in a hash map; State, offsets and features in one LMDB transaction with fsync and checksums;
// features published after it on another thread, in a Kafka transaction whose offsets carry the
// commit's id.
//
// It has nothing of what makes a host a host: failed calls, bounded memory, schema checks, dead
// letters, several resolvers, code that is loaded and replaced. One LMDB environment serves all
// partitions of a worker, so its commits wait for the disk once where the host waits once a task.
#include <simdjson.h>
#include <tsl/robin_map.h>

#include <atomic>
#include <deque>
#include <future>
#include <limits>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/clock.hpp"
#include "bench/hand_jobs.hpp"
#include "bench/hand_store.hpp"
#include "bench/kafka_client.hpp"
#include "bench/kafka_line.hpp"
#include "bench/run.hpp"
#include "publish/commit_id.hpp"

namespace weir::host::bench {

namespace {

constexpr std::size_t commit_bytes_max = std::size_t{64} << 20;
constexpr std::uint64_t commit_records_max = 200'000;  // as the host's default

/// JSON of the job's message, by somebody who knows its fields.
class JsonByHand {
 public:
  template <typename Message>
  bool parse(std::string_view json, Message& message) {
    buffer_.assign(json);
    buffer_.reserve(buffer_.size() + simdjson::SIMDJSON_PADDING);
    simdjson::ondemand::document document;
    if (parser_.iterate(buffer_.data(), buffer_.size(), buffer_.capacity()).get(document)) {
      return false;
    }
    simdjson::ondemand::object object;
    if (document.get_object().get(object)) return false;
    message.Clear();
    for (auto field : object) {
      std::string_view key;
      if (field.unescaped_key().get(key)) return false;
      if (!set(message, key, field.value())) return false;
    }
    return true;
  }

 private:
  using Value = simdjson::simdjson_result<simdjson::ondemand::value>;

  static bool text(Value value, std::string* out) {
    std::string_view view;
    if (value.get_string().get(view)) return false;
    out->assign(view);
    return true;
  }
  static bool set(line::Click& click, std::string_view key, Value value) {
    if (key == "userId") return text(value, click.mutable_user_id());
    if (key == "page") return text(value, click.mutable_page());
    if (key == "referrer") return text(value, click.mutable_referrer());
    if (key == "country") return text(value, click.mutable_country());
    std::int64_t number = 0;
    if (value.get_int64().get(number)) return false;
    if (key == "atMs") {
      click.set_at_ms(number);
    } else if (key == "dwellMs") {
      click.set_dwell_ms(static_cast<std::int32_t>(number));
    } else {
      return false;
    }
    return true;
  }
  static bool set(unique_ips::Visit& visit, std::string_view key, Value value) {
    if (key == "userId") return text(value, visit.mutable_user_id());
    return key == "ip" && text(value, visit.mutable_ip());
  }

  simdjson::ondemand::parser parser_;
  std::string buffer_;
};

/// Features go out in a transaction together with the offsets, or without one.
class FeatureProducer {
 public:
  FeatureProducer(const std::string& brokers, std::string topic, std::string id, bool exactly_once)
      : topic_(std::move(topic)), group_(std::move(id)), exactly_once_(exactly_once) {
    Properties properties{{"linger.ms", "5"},
                          {"compression.type", "lz4"},
                          {"enable.idempotence", "true"},
                          {"partitioner", "murmur2_random"},
                          {"queue.buffering.max.messages", "1000000"},
                          {"retry.backoff.ms", "5"}};
    if (exactly_once_) properties.emplace_back("transactional.id", group_);
    client_ = open_client(RD_KAFKA_PRODUCER, brokers, properties);
    if (exactly_once_) kafka_ok(rd_kafka_init_transactions(client_.get(), 30'000), "begin");
  }

  void publish(const std::vector<NewRecord>& records, const std::string& input,
               std::span<const PartitionQueue> partitions, const std::string& commit_id) {
    if (exactly_once_) kafka_ok(rd_kafka_begin_transaction(client_.get()), "begin");
    for (const NewRecord& record : records) produce(record);
    if (!exactly_once_) {
      kafka_ok(rd_kafka_flush(client_.get(), 30'000), "flush");
      return;
    }
    rd_kafka_topic_partition_list_t* offsets = rd_kafka_topic_partition_list_new(4);
    for (const PartitionQueue& one : partitions) {
      auto* at = rd_kafka_topic_partition_list_add(offsets, input.c_str(), one.partition);
      at->offset = one.next;
      at->metadata = strdup(commit_id.c_str());
      at->metadata_size = commit_id.size();
    }
    rd_kafka_consumer_group_metadata_t* group =
        rd_kafka_consumer_group_metadata_new(group_.c_str());
    kafka_ok(rd_kafka_send_offsets_to_transaction(client_.get(), offsets, group, 30'000),
             "offsets");
    kafka_ok(rd_kafka_commit_transaction(client_.get(), -1), "commit");
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
  }

 private:
  void produce(const NewRecord& record) {
    while (true) {
      const auto code = rd_kafka_producev(
          client_.get(), RD_KAFKA_V_TOPIC(topic_.c_str()),
          RD_KAFKA_V_KEY(record.key->data(), record.key->size()),
          RD_KAFKA_V_VALUE(const_cast<char*>(record.value->data()), record.value->size()),
          RD_KAFKA_V_TIMESTAMP(record.timestamp_ms), RD_KAFKA_V_END);
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return kafka_ok(code, "produce");
      rd_kafka_poll(client_.get(), 10);
    }
  }

  std::string topic_;
  std::string group_;
  bool exactly_once_;
  Client client_;
};

template <typename Job>
class WorkerByHand {
 public:
  WorkerByHand(const KafkaSetting& setting, const KafkaCase& one, const std::string& topic,
               const std::string& name, std::vector<PartitionQueue> partitions,
               rd_kafka_t* consumer)
      : one_(one),
        topic_(topic),
        out_(fmt::format("out-{}", name)),
        partitions_(std::move(partitions)),
        consumer_(consumer),
        store_(setting.directory / fmt::format("state-{}", name)) {
    if (!one.line.features) return;
    make_topic(setting.brokers, out_, setting.partition_count);
    producer_ = std::make_unique<FeatureProducer>(setting.brokers, out_, out_, one.exactly_once);
  }

  /// Until the end of all partitions, or until it is told to stop.
  void run() {
    std::int64_t open_since_ms = clock_.steady_ms();
    std::uint64_t open_records = 0;
    for (bool open = true; open && !stopping_;) {
      open = false;
      std::size_t count = 0;
      for (PartitionQueue& partition : partitions_) {
        if (partition.done()) continue;
        open = true;
        count += read_some(partition, [&](auto messages) { handle(messages); });
      }
      open_records += count;
      if (open_records >= commit_records_max || outbox_.bytes() >= commit_bytes_max ||
          clock_.steady_ms() - open_since_ms >= one_.line.commit_ms) {
        commit();
        open_since_ms = clock_.steady_ms();
        open_records = 0;
      }
      if (open && count == 0) rd_kafka_poll(consumer_, 1);
    }
    commit();
    await_publication();
  }

  void stop() { stopping_ = true; }
  const std::string& output() const { return out_; }

  void add_to(KafkaMeasured& measured) const {
    measured.records += records_;
    measured.commits += commits_;
    for (const auto& entry : entries_) measured.checksum += Job::weigh(entry.state);
  }

 private:
  using Entry = typename Store<typename Job::State>::Entry;
  struct Hash {
    std::size_t operator()(std::string_view key) const {
      return XXH3_64bits(key.data(), key.size());
    }
  };

  bool parse(const rd_kafka_message_t& record) {
    if (one_.line.format == Format::Kind::json) {
      return json_.parse({static_cast<const char*>(record.payload), record.len}, message_);
    }
    return message_.ParseFromArray(record.payload, static_cast<int>(record.len));
  }

  void handle(std::span<rd_kafka_message_t*> records) {
    for (const rd_kafka_message_t* record : records) {
      if (!parse(*record)) continue;
      Entry& entry =
          find(Job::key({static_cast<const char*>(record->key), record->key_len}, message_));
      if (Job::apply(message_, entry.state) && !entry.changed) {
        entry.changed = true;
        changed_.push_back(&entry);
      }
      if (one_.line.features) {
        Job::tell(message_, entry.state, feature_);
        outbox_.append(entry.key, rd_kafka_message_timestamp(record, nullptr), feature_);
      }
    }
    records_ += records.size();
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
    for (const PartitionQueue& partition : partitions_) {
      v1::Input& input = *head.add_inputs();
      input.set_topic(topic_);
      input.set_partition(partition.partition);
      input.set_next_offset(partition.next);
    }
    store_.commit(changed_, outbox_.chunks(), head);
    if (outbox_.chunks().empty()) return;
    publishing_ = std::async(std::launch::async, [this, outbox = std::exchange(outbox_, {}),
                                                  partitions = partitions_, id = to_metadata(id)] {
      producer_->publish(outbox.records(out_), topic_, partitions, id);
    });
  }

  void await_publication() {
    if (publishing_.valid()) publishing_.get();
  }

  const KafkaCase one_;
  const std::string topic_;
  std::string out_;
  std::vector<PartitionQueue> partitions_;
  rd_kafka_t* consumer_;
  Store<typename Job::State> store_;
  std::unique_ptr<FeatureProducer> producer_;
  SystemClock clock_;
  JsonByHand json_;
  std::deque<Entry> entries_;
  tsl::robin_map<std::string_view, Entry*, Hash, std::equal_to<>,
                 std::allocator<std::pair<std::string_view, Entry*>>, /*StoreHash=*/true>
      by_key_;  // keys point into entries_
  std::vector<Entry*> changed_;
  Outbox outbox_;
  std::future<void> publishing_;
  typename Job::Message message_;
  typename Job::Feature feature_;
  std::uint64_t records_ = 0;
  std::uint64_t commits_ = 0;
  std::atomic<bool> stopping_{false};
};

template <typename Job>
KafkaMeasured run_job(const KafkaSetting& setting, const KafkaCase& one, int number) {
  TopicReader reader(setting.brokers, one.topic(), setting.partition_count);
  std::deque<WorkerByHand<Job>> workers;
  for (unsigned w = 0; w < one.worker_count; ++w) {
    std::vector<PartitionQueue> mine;
    for (const PartitionQueue& partition : reader.partitions()) {
      if (static_cast<unsigned>(partition.partition) % one.worker_count == w) {
        mine.push_back(partition);
      }
    }
    workers.emplace_back(setting, one, one.topic(), fmt::format("{}-{}", number, w),
                         std::move(mine), reader.client());
  }
  const std::int64_t wall = wall_ns();
  const std::int64_t cpu = process_cpu_ns();
  reader.start();
  std::vector<std::thread> threads;
  for (auto& worker : workers) threads.emplace_back([&worker] { worker.run(); });
  for (std::thread& thread : threads) thread.join();

  KafkaMeasured measured;
  measured.wall_s = static_cast<double>(wall_ns() - wall) / 1e9;
  measured.cpu_s = static_cast<double>(process_cpu_ns() - cpu) / 1e9;
  measured.resident_bytes = resident_peak_bytes();
  for (const auto& worker : workers) worker.add_to(measured);
  return measured;
}

/// One worker, count per key.
class RunningByHand final : public RunningLine {
 public:
  RunningByHand(const KafkaSetting& setting, const KafkaCase& one, const std::string& topic,
                int number)
      : reader_(setting.brokers, topic, setting.partition_count),
        worker_(setting, one, topic, std::to_string(number), endless(reader_.partitions()),
                reader_.client()),
        thread_([this] { worker_.run(); }) {
    reader_.start();
  }
  std::string output() const override { return worker_.output(); }
  void stop() override {
    worker_.stop();
    thread_.join();
  }

 private:
  static std::vector<PartitionQueue> endless(std::span<PartitionQueue> partitions) {
    for (PartitionQueue& one : partitions) one.end = std::numeric_limits<std::int64_t>::max();
    return {partitions.begin(), partitions.end()};
  }

  TopicReader reader_;
  WorkerByHand<CountJob> worker_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<RunningLine> start_by_hand(const KafkaSetting& setting, const KafkaCase& one,
                                           const std::string& topic, int number) {
  return std::make_unique<RunningByHand>(setting, one, topic, number);
}

KafkaMeasured run_kafka_by_hand(const KafkaSetting& setting, const KafkaCase& one, int number) {
  if (one.line.work == Case::Work::count) return run_job<CountJob>(setting, one, number);
  return run_job<UniqueIpsJob>(setting, one, number);
}

}  // namespace weir::host::bench
