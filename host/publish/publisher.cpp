#include "publish/publisher.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "publish/commit_id.hpp"

namespace weir::host {

namespace {

/// Between two looks at a log that is away; each takes up to half a minute itself with Kafka.
constexpr std::chrono::milliseconds retry_wait_min{20};
constexpr std::chrono::milliseconds retry_wait_max{1'000};

std::int32_t partition_for(const TopicSink& sink, const OutboxEntry& entry,
                           std::int32_t task_partition) {
  if (!entry.key || !sink.partitioner) return task_partition % sink.partition_count;
  return partition_of(*sink.partitioner, *entry.key, sink.partition_count);
}

/// There are few sinks, and most records go to the one of the record before.
void count(std::vector<std::pair<std::string, std::uint64_t>>& counts, std::string_view sink) {
  for (auto& [name, number] : counts) {
    if (name != sink) continue;
    ++number;
    return;
  }
  counts.emplace_back(sink, 1);
}

}  // namespace

Result<std::unique_ptr<Publisher>> Publisher::open(Log& log, Options options) {
  std::unique_ptr<Publisher> self(new Publisher(log, std::move(options)));
  WEIR_TRY(self->producer_, log.open_producer(self->options_.group, self->options_.id));
  if (self->options_.own_thread) self->thread_ = std::thread([raw = self.get()] { raw->run(); });
  return self;
}

Publisher::Publisher(Log& log, Options options) : log_(log), options_(std::move(options)) {}

Publisher::~Publisher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Publisher::submit(PendingPublication& publication) {
  if (!options_.own_thread) {
    PendingPublication* const one = &publication;
    done_.insert_or_assign(one, publish({&one, 1}).front());
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(&publication);
  }
  changed_.notify_all();
}

Result<void> Publisher::wait(const PendingPublication& publication) {
  std::unique_lock lock(mutex_);
  if (!done_.contains(&publication)) {
    if (options_.clock != nullptr) waiting_since_ms_ = options_.clock->steady_ms();
    changed_.wait(lock, [&] { return done_.contains(&publication); });
    waiting_since_ms_ = -1;
  }
  return std::move(done_.extract(&publication).mapped());
}

bool Publisher::is_done(const PendingPublication& publication) {
  const std::lock_guard lock(mutex_);
  return done_.contains(&publication);
}

std::optional<std::int64_t> Publisher::waiting_since_ms() const {
  const std::int64_t since_ms = waiting_since_ms_;
  if (since_ms < 0) return std::nullopt;
  return since_ms;
}

std::optional<std::int64_t> Publisher::calling_since_ms() const {
  const std::int64_t since_ms = calling_since_ms_;
  if (since_ms < 0) return std::nullopt;
  return since_ms;
}

void Publisher::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;  // everything submitted before the stop is out
    const std::vector<PendingPublication*> waiting = std::exchange(waiting_, {});
    lock.unlock();
    const std::vector<Result<void>> results = publish(waiting);
    lock.lock();
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      done_.insert_or_assign(waiting[i], results[i]);
    }
    changed_.notify_all();
  }
}

std::vector<Result<void>> Publisher::publish(std::span<PendingPublication* const> waiting) {
  std::vector<std::vector<NewRecord>> records(waiting.size());
  std::vector<std::vector<Mark>> marks(waiting.size());
  std::vector<std::vector<Header>> headers;  // OutboxEntry's are gone after the visit
  std::vector<Outgoing> outgoing;
  outgoing.reserve(waiting.size());
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    PendingPublication& publication = *waiting[i];
    Outgoing& out = outgoing.emplace_back();
    out.pending = &publication;
    // Its own fault halts its own task; the others go out without it.
    out.failure = read_records(publication, records[i], headers);
    for (std::size_t input = 0; input < publication.inputs.size(); ++input) {
      marks[i].push_back(Mark{publication.inputs[input], publication.next_offsets[input],
                              to_metadata(publication.id)});
    }
    out.publication = Publication{marks[i], records[i], publication.is_again};
  }
  const bool went_out = send(outgoing);
  if (went_out) step("publish");
  std::vector<Result<void>> results(waiting.size());
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    results[i] = std::move(outgoing[i].failure);
    if (results[i]) results[i] = write_lines(*waiting[i]->sinks, waiting[i]->chunks);
  }
  if (went_out) step("sinks");
  if (options_.clock != nullptr) {
    const std::int64_t now_us = options_.clock->steady_us();
    for (PendingPublication* publication : waiting) publication->out_us = now_us;
  }
  return results;
}

Result<void> Publisher::read_records(PendingPublication& publication,
                                     std::vector<NewRecord>& records,
                                     std::vector<std::vector<Header>>& headers) {
  const auto take = [&](std::string_view sink_name, const OutboxEntry& entry) -> Result<void> {
    count(publication.published, sink_name);
    const auto found = publication.sinks->topics.find(std::string(sink_name));
    if (found == publication.sinks->topics.end()) {
      if (publication.sinks->lines.contains(std::string(sink_name))) return {};
      return error(Errc::refused,
                   "task {}: committed features wait for the sink \"{}\", which the app no longer "
                   "has; put it back until they are out",
                   publication.task, sink_name);
    }
    const TopicSink& sink = found->second;
    std::span<const Header> kept;
    if (!entry.headers.empty()) {
      headers.emplace_back(entry.headers.begin(), entry.headers.end());
      kept = headers.back();
    }
    records.push_back(NewRecord{sink.topic,
                                partition_for(sink, entry, publication.sinks->partition), entry.key,
                                entry.value, kept, entry.timestamp_ms});
    return {};
  };
  for (const std::string_view chunk : publication.chunks) WEIR_CHECK(read_outbox(chunk, take));
  return {};
}

bool Publisher::send(std::span<Outgoing> outgoing) {
  auto pause = retry_wait_min;
  while (true) {
    if (options_.clock != nullptr) calling_since_ms_ = options_.clock->steady_ms();
    auto sent = send_once(outgoing);
    calling_since_ms_ = -1;
    if (sent) break;
    // Nobody knows whether it happened. A new producer ends what the old one had open; then the log
    // says which commits it has seen. A log that is away is waited for, however long.
    const bool is_known = sent.error().code != Errc::unavailable;
    if (is_known || is_stopping_after(pause)) {
      for (Outgoing& out : outgoing) {
        if (out.is_open()) out.failure = sent;
      }
      break;
    }
    pause = std::min(2 * pause, retry_wait_max);
    producer_.reset();
  }
  return std::any_of(outgoing.begin(), outgoing.end(),
                     [](const Outgoing& out) { return out.is_out; });
}

Result<void> Publisher::send_once(std::span<Outgoing> outgoing) {
  if (producer_ == nullptr) {
    checked_.emplace();
    WEIR_TRY(producer_, log_.open_producer(options_.group, options_.id));
  }
  std::vector<Publication> publications;
  for (Outgoing& out : outgoing) {
    if (!out.is_open()) continue;
    WEIR_CHECK(look_up(out));
    if (out.is_open()) publications.push_back(out.publication);
  }
  if (publications.empty()) return {};
  WEIR_CHECK(producer_->publish(publications));
  for (Outgoing& out : outgoing) out.is_out |= out.is_open();
  return {};
}

Result<void> Publisher::look_up(Outgoing& out) {
  const TopicPartition& input = out.pending->inputs.front();
  if (!checked_ || checked_->contains(input)) return {};
  auto seen = log_has_seen(*out.pending);
  if (seen) {
    out.is_out = *seen;
    out.publication.is_again = true;
    checked_->insert(input);
    return {};
  }
  if (seen.error().code == Errc::unavailable) return std::move(seen).error();
  out.failure = std::move(seen).error();
  return {};
}

bool Publisher::is_stopping_after(std::chrono::milliseconds pause) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, pause, [&] { return stopping_; });
}

Result<bool> Publisher::log_has_seen(const PendingPublication& publication) {
  WEIR_TRY(const auto mark, log_.committed(options_.group, publication.inputs.front()));
  const auto seen = mark ? parse_metadata(mark->metadata) : std::nullopt;
  if (seen && same_commit(*seen, publication.id)) return true;
  const bool is_before =
      publication.before ? seen && same_commit(*seen, *publication.before) : !mark.has_value();
  if (is_before) return false;
  return error(Errc::refused,
               "task {}: the log has seen \"{}\" while commit {} was being published; another host "
               "of this app is running",
               publication.task, mark ? mark->metadata : "nothing", to_metadata(publication.id));
}

Result<void> Publisher::restore(TaskSinks& sinks, const v1::Head& head) {
  for (const v1::SinkCursor& cursor : head.sinks()) {
    const auto sink = sinks.lines.find(cursor.sink());
    if (sink != sinks.lines.end()) WEIR_CHECK(sink->second->restore(cursor.position()));
  }
  return {};
}

void Publisher::add_positions(v1::Head& head, const TaskSinks& sinks) {
  for (const auto& [name, sink] : sinks.lines) {
    if (sink->position() < 0) continue;
    v1::SinkCursor& cursor = *head.add_sinks();
    cursor.set_sink(name);
    cursor.set_position(sink->position());
  }
}

Result<void> Publisher::write_lines(TaskSinks& sinks, std::span<const std::string_view> chunks) {
  if (sinks.lines.empty()) return {};
  std::unordered_map<LineSink*, std::string> lines;
  for (const std::string_view chunk : chunks) {
    WEIR_CHECK(read_outbox(chunk, [&](std::string_view name, const OutboxEntry& entry) {
      const auto found = sinks.lines.find(std::string(name));
      if (found != sinks.lines.end() && entry.value) {
        std::string& text = lines[found->second.get()];
        text += *entry.value;
        text.push_back('\n');
      }
      return Result<void>{};
    }));
  }
  for (const auto& [sink, text] : lines) WEIR_CHECK(sink->append(text));
  return {};
}

}  // namespace weir::host
