#include "app/command_deadletters.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

#include "app/dead_letters.hpp"
#include "app/output.hpp"
#include "app/record_line.hpp"
#include "base/counted.hpp"
#include "base/number.hpp"
#include "config/suggest.hpp"
#include "config/values.hpp"

namespace weir::host {
namespace {

const std::vector<std::string> error_kinds = {"late",      "undecodable", "rejected", "crashed",
                                              "misplaced", "null_value",  "key",      "retries"};

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
  const bool timer = letter.facts.contains("timer_ms");
  const std::string position =
      fmt::format("{}/{}@{}", letter.fact("topic"), letter.fact("partition"),
                  timer ? "timer" : letter.fact("offset"));
  print_line(fmt::format("{:<10} {:<12} {:<16} {:<24} {:<16} {}", letter.id(), letter.fact("error"),
                         letter.fact("resolver"), position,
                         letter.key ? readable(*letter.key, 40) : "-",
                         readable(letter.fact("reason"))));
}

Result<void> check_kind(const std::string& kind) {
  if (kind.empty() ||
      std::find(error_kinds.begin(), error_kinds.end(), kind) != error_kinds.end()) {
    return {};
  }
  return error(Errc::usage, "--error {}: no such kind; {}", printable(kind),
               suggestion(kind, error_kinds, "kinds"));
}

Result<ExitCode> list(const DeadLettersOptions& options) {
  WEIR_CHECK(check_kind(options.error));
  WEIR_TRY(const DeadLetters letters, DeadLetters::open(options.log, options.topic));
  if (options.format == OutputFormat::text && !letters.empty()) {
    say("{:<10} {:<12} {:<16} {:<24} {:<16} {}", "ID", "ERROR", "RESOLVER", "RECORD", "KEY",
        "REASON");
  }
  std::uint64_t count = 0;
  std::deque<DeadLetter> newest;  // of the partition that is being read
  const auto print_newest = [&] {
    for (const DeadLetter& letter : newest) print_row(letter, options.format);
    newest.clear();
  };
  WEIR_CHECK(letters.each([&](DeadLetter letter) -> Result<void> {
    if (!options.error.empty() && letter.fact("error") != options.error) return {};
    ++count;
    if (options.limit == 0) {
      print_row(letter, options.format);
      return {};
    }
    if (!newest.empty() && newest.front().partition != letter.partition) print_newest();
    newest.push_back(std::move(letter));
    if (newest.size() > options.limit) newest.pop_front();
    return {};
  }));
  print_newest();
  say("{} in {}", counted(count, "dead letter"), letters.topic());
  return ExitCode::ok;
}

void print_whole(const DeadLetter& letter) {
  const auto row = [](std::string_view name, std::string_view text) {
    print_line(fmt::format("{:<16} {}", name, text));
  };
  row("id", letter.id());
  row("error", letter.fact("error"));
  row("reason", letter.fact("reason"));
  const bool timer = letter.facts.contains("timer_ms");
  row("record", fmt::format("{} partition {} {}", letter.fact("topic"), letter.fact("partition"),
                            timer ? "timer" : "offset " + letter.fact("offset")));
  if (const auto ms = to_number<std::int64_t>(letter.fact("timestamp_ms"))) {
    row("timestamp", fmt::format("{} ({})", format_time_ms(*ms), *ms));
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
  WEIR_TRY(const DeadLetters letters, DeadLetters::open(options.log, options.topic));
  WEIR_TRY(const auto letter, letters.find(options.ids.front()));
  if (!letter) {
    say("there is no dead letter {} in {}", printable(options.ids.front()), letters.topic());
    return ExitCode::failed;
  }
  if (options.format == OutputFormat::json) {
    print_line(json_of(*letter, true));
  } else {
    print_whole(*letter);
  }
  return ExitCode::ok;
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
