#include "app/dead_letters.hpp"

#include <charconv>

#include <fmt/format.h>

#include "base/bytes.hpp"

namespace weir::host {
namespace {

/// Headers that the host adds begin so; all others are the record's own.
constexpr std::string_view host_prefix = "weir.";

/// Records that a log has already promised are on their way.
constexpr std::chrono::milliseconds patience{100};

DeadLetter copy(std::int32_t partition, const Record& record) {
  DeadLetter out;
  out.partition = partition;
  out.offset = record.offset;
  out.timestamp_ms = record.timestamp_ms;
  if (record.key) out.key = std::string(*record.key);
  if (record.value) out.value = std::string(*record.value);
  for (const Header& header : record.headers) {
    if (header.name.starts_with(host_prefix)) {
      out.facts[std::string(header.name.substr(host_prefix.size()))] = header.value.value_or("");
    } else {
      std::optional<std::string> value;
      if (header.value) value = std::string(*header.value);
      out.headers.emplace_back(header.name, std::move(value));
    }
  }
  return out;
}

Result<TopicPartition> parse_id(const std::string& id, const std::string& topic,
                                std::int64_t& offset) {
  TopicPartition out{topic, 0};
  const char* const end = id.data() + id.size();
  const auto [colon, code] = std::from_chars(id.data(), end, out.partition);
  if (code == std::errc{} && colon != end && *colon == ':') {
    const auto [stop, offset_code] = std::from_chars(colon + 1, end, offset);
    if (offset_code == std::errc{} && stop == end && out.partition >= 0 && offset >= 0) return out;
  }
  return error(Errc::usage, "{} is not the id of a dead letter; expected partition:offset",
               printable(id));
}

}  // namespace

std::string DeadLetter::id() const { return fmt::format("{}:{}", partition, offset); }

std::string DeadLetter::fact(const std::string& name) const {
  const auto found = facts.find(name);
  return found == facts.end() ? "-" : found->second;
}

Result<DeadLetters> DeadLetters::open(const LogOptions& options, const std::string& topic) {
  DeadLetters out;
  WEIR_TRY(out.opened_, open_log(options, LogAccess::read));
  std::string name = topic;
  if (name.empty()) {
    if (!out.opened_.config) {
      return error(Errc::usage, "with --log say --topic too; with -c the app knows its own");
    }
    name = out.opened_.config->app().dead_letters().topic();
  }
  WEIR_TRY(const auto found, out.opened_.log->topic(name));
  // No record was ever set aside: that is an answer, not an error.
  out.topic_ = found.value_or(TopicInfo{name, 0, ""});
  return out;
}

Result<void> DeadLetters::each(const std::function<Result<void>(DeadLetter letter)>& visit) const {
  for (std::int32_t p = 0; p < topic_.partition_count; ++p) {
    const TopicPartition partition{topic_.name, p};
    WEIR_TRY(const OffsetRange range, opened_.log->offsets(partition));
    WEIR_TRY(const auto reader, opened_.log->open_reader(partition, range.begin));
    while (reader->position() < range.end) {
      WEIR_TRY(const auto batch, reader->fetch({}));
      if (batch.empty() && reader->position() < range.end) opened_.log->wait_for_records(patience);
      for (const Record& record : batch) WEIR_CHECK(visit(copy(p, record)));
    }
  }
  return {};
}

Result<std::optional<DeadLetter>> DeadLetters::find(const std::string& id) const {
  std::int64_t offset = 0;
  WEIR_TRY(const TopicPartition partition, parse_id(id, topic_.name, offset));
  if (partition.partition >= topic_.partition_count) return std::optional<DeadLetter>{};
  WEIR_TRY(const OffsetRange range, opened_.log->offsets(partition));
  if (offset < range.begin || offset >= range.end) return std::optional<DeadLetter>{};
  WEIR_TRY(const auto reader, opened_.log->open_reader(partition, offset));
  while (reader->position() <= offset) {
    WEIR_TRY(const auto batch, reader->fetch({.records = 1}));
    if (batch.empty()) {
      opened_.log->wait_for_records(patience);
      continue;
    }
    if (batch[0].offset != offset) break;
    return std::optional<DeadLetter>(copy(partition.partition, batch[0]));
  }
  return std::optional<DeadLetter>{};
}

}  // namespace weir::host
