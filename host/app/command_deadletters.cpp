#include "app/command_deadletters.hpp"

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <vector>

#include "app/output.hpp"
#include "app/record_line.hpp"
#include "config/suggest.hpp"
#include "config/values.hpp"

namespace weir::host {
namespace {

/// Headers that the host adds begin so; all others are the record's own.
constexpr std::string_view host_prefix = "weir.";

const std::vector<std::string> error_kinds = {"late",       "undecodable", "rejected", "misplaced",
                                              "null_value", "key",         "retries"};

/// A dead letter, copied out of the log.
struct DeadLetter {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::map<std::string, std::string> facts;  ///< the host's headers, without their prefix
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;

  std::string id() const { return fmt::format("{}:{}", partition, offset); }
  std::string fact(const std::string& name) const {
    const auto found = facts.find(name);
    return found == facts.end() ? "-" : found->second;
  }
};

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

struct Letters {
  OpenLog opened;
  TopicInfo topic;
};

Result<Letters> open_letters(const DeadLettersOptions& options) {
  Letters out;
  WEIR_TRY(out.opened, open_log(options.log, LogAccess::read));
  std::string name = options.topic;
  if (name.empty()) {
    if (!out.opened.config) {
      return error(Errc::usage, "with --log say --topic too; with -c the app knows its own");
    }
    name = out.opened.config->app().dead_letters().topic();
  }
  WEIR_TRY(const auto found, out.opened.log->topic(name));
  // No record was ever set aside: that is an answer, not an error.
  out.topic = found.value_or(TopicInfo{name, 0, ""});
  return out;
}

std::string json_of(const DeadLetter& letter, bool whole) {
  std::string out = fmt::format(R"({{"id":"{}")", letter.id());
  for (const auto& [name, text] : letter.facts) {
    out += fmt::format(",{}:{}", json_string(name), json_string(text));
  }
  out += "," + json_bytes("key", letter.key);
  if (whole) {
    out += "," + json_bytes("value", letter.value);
    out += ",\"headers\":{";
    for (const auto& [name, value] : letter.headers) {
      if (out.back() != '{') out += ',';
      out += value && !is_utf8(*value)
                 ? fmt::format(R"({}:{{"base64":"{}"}})", json_string(name), to_base64(*value))
                 : json_string(name) + ":" + (value ? json_string(*value) : "null");
    }
    out += '}';
  } else {
    out += fmt::format(",\"value_bytes\":{}", letter.value ? letter.value->size() : 0);
  }
  return out + '}';
}

void print_row(const DeadLetter& letter, OutputFormat format) {
  if (format == OutputFormat::json) return print_line(json_of(letter, false));
  const std::string position = fmt::format("{}/{}@{}", letter.fact("topic"),
                                           letter.fact("partition"), letter.fact("offset"));
  print_line(fmt::format("{:<10} {:<12} {:<16} {:<24} {:<16} {}", letter.id(), letter.fact("error"),
                         letter.fact("resolver"), position,
                         letter.key ? readable(*letter.key, 40) : "-",
                         readable(letter.fact("reason"))));
}

Result<ExitCode> list(const DeadLettersOptions& options) {
  if (!options.error.empty() &&
      std::find(error_kinds.begin(), error_kinds.end(), options.error) == error_kinds.end()) {
    return error(Errc::usage, "--error {}: no such kind; {}", printable(options.error),
                 suggestion(options.error, error_kinds, "kinds"));
  }
  WEIR_TRY(const Letters letters, open_letters(options));
  if (options.format == OutputFormat::text && letters.topic.partition_count > 0) {
    say("{:<10} {:<12} {:<16} {:<24} {:<16} {}", "ID", "ERROR", "RESOLVER", "RECORD", "KEY",
        "REASON");
  }
  std::uint64_t count = 0;
  for (std::int32_t p = 0; p < letters.topic.partition_count; ++p) {
    const TopicPartition partition{letters.topic.name, p};
    WEIR_TRY(const OffsetRange range, letters.opened.log->offsets(partition));
    WEIR_TRY(const auto reader, letters.opened.log->open_reader(partition, range.begin));
    std::deque<DeadLetter> newest;
    while (reader->position() < range.end) {
      WEIR_TRY(const auto batch, reader->fetch({}));
      for (const Record& record : batch) {
        DeadLetter letter = copy(p, record);
        if (!options.error.empty() && letter.fact("error") != options.error) continue;
        ++count;
        if (options.limit == 0) {
          print_row(letter, options.format);
          continue;
        }
        newest.push_back(std::move(letter));
        if (newest.size() > options.limit) newest.pop_front();
      }
    }
    for (const DeadLetter& letter : newest) print_row(letter, options.format);
  }
  say("{} dead letter{} in {}", count, count == 1 ? "" : "s", letters.topic.name);
  return ExitCode::ok;
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

void print_whole(const DeadLetter& letter) {
  const auto row = [](std::string_view name, std::string_view text) {
    print_line(fmt::format("{:<16} {}", name, text));
  };
  row("id", letter.id());
  row("error", letter.fact("error"));
  row("reason", letter.fact("reason"));
  row("record", fmt::format("{} partition {} offset {}", letter.fact("topic"),
                            letter.fact("partition"), letter.fact("offset")));
  std::int64_t ms = 0;
  const std::string timestamp = letter.fact("timestamp_ms");
  const auto [end, code] =
      std::from_chars(timestamp.data(), timestamp.data() + timestamp.size(), ms);
  if (code == std::errc{} && end == timestamp.data() + timestamp.size()) {
    row("timestamp", fmt::format("{} ({})", format_time_ms(ms), ms));
  }
  for (const auto& [name, text] : letter.facts) {
    static const std::vector<std::string> shown = {"error",     "reason", "topic",
                                                   "partition", "offset", "timestamp_ms"};
    if (std::find(shown.begin(), shown.end(), name) == shown.end()) row(name, text);
  }
  constexpr std::size_t all = static_cast<std::size_t>(-1) / 4;
  row("key", letter.key ? readable(*letter.key, all) : "(none)");
  for (const auto& [name, value] : letter.headers) {
    row("header " + name, value ? readable(*value, all) : "(null)");
  }
  row("value", letter.value ? readable(*letter.value, all) : "(none)");
}

Result<ExitCode> show(const DeadLettersOptions& options) {
  WEIR_TRY(const Letters letters, open_letters(options));
  std::int64_t offset = 0;
  WEIR_TRY(const TopicPartition partition, parse_id(options.id, letters.topic.name, offset));
  if (partition.partition < letters.topic.partition_count) {
    WEIR_TRY(const OffsetRange range, letters.opened.log->offsets(partition));
    if (offset >= range.begin && offset < range.end) {
      WEIR_TRY(const auto reader, letters.opened.log->open_reader(partition, offset));
      WEIR_TRY(const auto batch, reader->fetch({.records = 1}));
      if (!batch.empty() && batch[0].offset == offset) {
        const DeadLetter letter = copy(partition.partition, batch[0]);
        if (options.format == OutputFormat::json) {
          print_line(json_of(letter, true));
        } else {
          print_whole(letter);
        }
        return ExitCode::ok;
      }
    }
  }
  say("there is no dead letter {} in {}", printable(options.id), letters.topic.name);
  return ExitCode::failed;
}

ExitCode finish(const Result<ExitCode>& result) { return result ? *result : fail(result.error()); }

}  // namespace

ExitCode command_deadletters_list(const DeadLettersOptions& options) {
  return finish(list(options));
}
ExitCode command_deadletters_show(const DeadLettersOptions& options) {
  return finish(show(options));
}

}  // namespace weir::host
