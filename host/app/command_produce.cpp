#include "app/command_produce.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "app/line_reader.hpp"
#include "app/output.hpp"
#include "app/record_line.hpp"
#include "base/clock.hpp"
#include "base/counted.hpp"
#include "base/limits.hpp"
#include "config/suggest.hpp"
#include "log/partitioner.hpp"

namespace weir::host {
namespace {

constexpr std::uint64_t paced_batches_per_second = 50;

/// Closes what it opened.
class InputFile {
 public:
  static Result<InputFile> open(const std::filesystem::path& path) {
    if (path.empty() || path == "-") return InputFile(STDIN_FILENO);
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      return error(Errc::io, "cannot read {}: {}", path.string(), std::strerror(errno));
    }
    return InputFile(fd);
  }
  InputFile(InputFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile() {
    if (fd_ > STDIN_FILENO) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  explicit InputFile(int fd) : fd_(fd) {}
  int fd_;
};

using Topics = std::map<std::string, std::int32_t>;

/// The topics of the app's sources and sinks, and how many partitions one gets when it is made.
Topics topics_of(const config::v1::App& app) {
  Topics topics;
  for (const auto& [name, sink] : app.sinks()) {
    if (sink.topic().empty()) continue;
    topics[sink.topic()] = static_cast<std::int32_t>(sink.partitions());
  }
  for (const auto& [name, source] : app.sources()) {
    topics[source.topic()] = static_cast<std::int32_t>(source.partitions());
  }
  return topics;
}

Result<TopicInfo> open_topic(const OpenLog& opened, const ProduceOptions& options) {
  WEIR_TRY(const auto found, opened.log->topic(options.topic));
  if (found && (options.partitions == 0 || options.partitions == found->partition_count)) {
    return *found;
  }
  const Topics topics = opened.config ? topics_of(opened.config->app()) : Topics{};
  const auto known = topics.find(options.topic);
  const std::int32_t partitions = known != topics.end() ? known->second : 1;
  WEIR_CHECK(opened.log->create_topic(options.topic,
                                      options.partitions > 0 ? options.partitions : partitions));
  if (opened.config && known == topics.end()) {
    std::vector<std::string> names;
    for (const auto& [topic, count] : topics) names.push_back(topic);
    say("made topic {}, which app {} neither reads nor writes; {}", options.topic,
        opened.config->app().app(), suggestion(options.topic, names, "its topics"));
  }
  return find_topic(*opened.log, options.topic);
}

/// Lines in, batches of records out.
class Producing {
 public:
  Producing(Log& log, const ProduceOptions& options, TopicInfo topic)
      : log_(log), options_(options), topic_(std::move(topic)) {
    batch_records_ = batch_records_max;
    if (options.rate > 0) {
      batch_records_ = std::clamp<std::size_t>(
          static_cast<std::size_t>(options.rate / paced_batches_per_second), 1, batch_records_max);
    }
  }

  Result<void> run(int fd) {
    LineReader lines(fd);
    start_ = std::chrono::steady_clock::now();
    for (;;) {
      if (!batch_.empty() && (is_full() || lines.would_wait())) WEIR_CHECK(append());
      std::string_view line;
      auto next = lines.next(line);
      if (!next) return at_line(next.error());
      if (*next == LineReader::Next::end) break;
      ++line_number_;
      if (line.empty() && !options_.raw) continue;
      auto record = read(line);
      if (!record) {
        WEIR_CHECK(append());
        return at_line(record.error());
      }
      bytes_ += record->value ? record->value->size() : 0;
      batch_.push_back(*std::move(record));
    }
    return append();
  }

  std::uint64_t appended() const { return appended_; }
  const TopicInfo& topic() const { return topic_; }
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  bool is_full() const { return batch_.size() >= batch_records_ || bytes_ >= batch_bytes_max; }

  Error at_line(const Error& why) const {
    const std::string file = options_.file.empty() ? "stdin" : options_.file.string();
    return error(why.code, "{}:{}: {}; {} of the lines before it {} in {}", file, line_number_,
                 why.message, counted(appended_, "record"), appended_ == 1 ? "is" : "are",
                 topic_.name);
  }

  Result<LineRecord> read(std::string_view line) {
    LineRecord record;
    if (options_.raw) {
      record.value = std::string(line);
    } else {
      WEIR_TRY(record, reader_.read(line));
    }
    if (!options_.key_field.empty()) {
      if (!record.value) return error(Errc::invalid, "there is no value to take the key from");
      WEIR_TRY(record.key, reader_.field_of(*record.value, options_.key_field));
    }
    if (record.value && record.value->size() > value_bytes_max) {
      return error(Errc::invalid, "the value has {} bytes; the limit is {}", record.value->size(),
                   value_bytes_max);
    }
    if (record.partition && *record.partition >= topic_.partition_count) {
      return error(Errc::invalid, "partition {} of {}: it has partitions 0 to {}",
                   *record.partition, topic_.name, topic_.partition_count - 1);
    }
    return record;
  }

  std::int32_t partition_of_record(const LineRecord& record) {
    if (record.partition) return *record.partition;
    if (record.key) return partition_of(Partitioner::murmur2, *record.key, topic_.partition_count);
    return next_partition_++ % topic_.partition_count;
  }

  Result<void> append() {
    if (batch_.empty()) return {};
    const std::int64_t now_ms = clock_.wall_ms();
    std::vector<std::vector<Header>> headers(batch_.size());
    std::vector<NewRecord> records(batch_.size());
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      const LineRecord& line = batch_[i];
      for (const LineRecord::NamedHeader& header : line.headers) {
        headers[i].push_back({header.name, header.value});
      }
      records[i].topic = topic_.name;
      records[i].partition = partition_of_record(line);
      records[i].key = line.key;
      records[i].value = line.value;
      records[i].headers = headers[i];
      records[i].timestamp_ms = line.timestamp_ms.value_or(now_ms);
    }
    WEIR_CHECK(log_.append(records));
    appended_ += batch_.size();
    batch_.clear();
    bytes_ = 0;
    pace();
    return {};
  }

  /// Sleeps until the records so far are due.
  void pace() {
    if (options_.rate == 0) return;
    const std::chrono::duration<double> due(static_cast<double>(appended_) /
                                            static_cast<double>(options_.rate));
    std::this_thread::sleep_until(
        start_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due));
  }

  Log& log_;
  const ProduceOptions& options_;
  TopicInfo topic_;
  RecordLineReader reader_;
  SystemClock clock_;
  std::vector<LineRecord> batch_;
  std::size_t batch_records_;
  std::size_t bytes_ = 0;
  std::uint64_t line_number_ = 0;
  std::uint64_t appended_ = 0;
  std::int32_t next_partition_ = 0;
  std::chrono::steady_clock::time_point start_;
};

Result<void> produce(const ProduceOptions& options) {
  WEIR_TRY(const InputFile input, InputFile::open(options.file));
  WEIR_TRY(const OpenLog opened, open_log(options.log, LogAccess::write));
  WEIR_TRY(TopicInfo topic, open_topic(opened, options));
  Producing producing(*opened.log, options, std::move(topic));
  WEIR_CHECK(producing.run(input.fd()));
  say("{} appended to {} ({}) in {:.1f} s", counted(producing.appended(), "record"),
      producing.topic().name, counted(producing.topic().partition_count, "partition"),
      producing.seconds());
  return {};
}

}  // namespace

ExitCode command_produce(const ProduceOptions& options) {
  const auto result = produce(options);
  return result ? ExitCode::ok : fail(result.error());
}

}  // namespace weir::host
