#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "app/command_deadletters.hpp"
#include "app/dead_letters.hpp"
#include "app/output.hpp"
#include "base/counted.hpp"
#include "commit/state_directory.hpp"
#include "config/suggest.hpp"
#include "task/retry_log.hpp"

namespace weir::host {
namespace {

constexpr std::size_t append_letters_max = 1000;

/// The letters that were asked for, in the order of their topic.
Result<std::vector<DeadLetter>> choose(const DeadLetters& letters, const RetryOptions& options) {
  const std::vector<std::string>& ids = options.letters.ids;
  if (options.all == !ids.empty()) {
    return error(Errc::usage, "say which: the ids of dead letters, or --all");
  }
  std::vector<DeadLetter> chosen;
  for (const std::string& id : ids) {
    WEIR_TRY(auto letter, letters.find(id));
    if (!letter) {
      return error(Errc::not_found,
                   "there is no dead letter {} in {}; weir deadletters list shows "
                   "those that are there",
                   printable(id), letters.topic());
    }
    chosen.push_back(*std::move(letter));
  }
  if (options.all) {
    WEIR_CHECK(letters.each([&](DeadLetter letter) -> Result<void> {
      const bool wanted =
          (options.letters.error.empty() || letter.fact("error") == options.letters.error) &&
          (options.resolver.empty() || letter.fact("resolver") == options.resolver);
      if (wanted) chosen.push_back(std::move(letter));
      return {};
    }));
  }
  std::sort(chosen.begin(), chosen.end(), [](const DeadLetter& a, const DeadLetter& b) {
    return std::pair(a.partition, a.offset) < std::pair(b.partition, b.offset);
  });
  return chosen;
}

bool is_of_timer(const DeadLetter& letter) { return letter.facts.contains("timer_ms"); }

/// Who says --all does not mean these.
void leave_timers_out(std::vector<DeadLetter>& chosen) {
  const std::size_t count = std::erase_if(chosen, is_of_timer);
  if (count == 0) return;
  say("{} of timers left out: no record is in them that could be sent; a timer comes back when a "
      "record of its key sets it",
      counted(count, "dead letter"));
}

/// Why a letter cannot be sent back; empty: it can.
std::string obstacle(const DeadLetter& letter, const Config& config,
                     const std::filesystem::path& state) {
  const auto lacks = [&](const char* fact) { return !letter.facts.contains(fact); };
  if (is_of_timer(letter)) return "it was a timer, not a record";
  if (lacks("task") || lacks("resolver") || lacks("offset") || lacks("timestamp_ms")) {
    return "it does not say which task and resolver refused it";
  }
  const std::string resolver = letter.fact("resolver");
  if (!config.app().resolvers().contains(resolver)) {
    return fmt::format("the app has no resolver {} any more", printable(resolver));
  }
  std::error_code ignored;
  if (!std::filesystem::exists(StateDirectory::tasks_in(state) / letter.fact("task"), ignored)) {
    return fmt::format(
        "there is no State of task {} in {}; say --state DIR, on the machine of the "
        "host",
        printable(letter.fact("task")), state.string());
  }
  return {};
}

/// The ids of the letters that were sent back to `task` before.
Result<std::set<std::string>> sent_before(Log& retries, const std::string& task) {
  std::set<std::string> ids;
  WEIR_TRY(const auto topic, retries.topic(task));
  if (!topic) return ids;
  const TopicPartition partition{task, 0};
  WEIR_TRY(const OffsetRange range, retries.offsets(partition));
  WEIR_TRY(const auto reader, retries.open_reader(partition, range.begin));
  while (reader->position() < range.end) {
    WEIR_TRY(const auto batch, reader->fetch({}));
    for (const Record& record : batch) {
      WEIR_TRY(const Retry retry, Retry::read(record));
      ids.emplace(retry.id);
    }
  }
  return ids;
}

/// A letter as the retry log keeps it; views into the letter and itself.
struct Outgoing {
  explicit Outgoing(const DeadLetter& letter) : id(letter.id()) {
    for (const auto& [name, value] : letter.headers) headers.push_back({name, value});
    for (const auto& [name, text] : letter.facts) {
      headers.push_back({names.emplace_back("weir." + name), text});
    }
    headers.push_back({retry_id_header, id});
    record.topic = letter.facts.at("task");
    record.key = letter.key;
    record.value = letter.value;
    record.headers = headers;
    record.timestamp_ms = letter.timestamp_ms;
  }
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;

  std::string id;
  std::deque<std::string> names;
  std::vector<Header> headers;
  NewRecord record;
};

Result<void> send(Log& retries, std::span<const DeadLetter> letters) {
  for (const DeadLetter& letter : letters) {
    WEIR_CHECK(retries.create_topic(letter.facts.at("task"), 1));
  }
  while (!letters.empty()) {
    const std::size_t count = std::min(letters.size(), append_letters_max);
    std::deque<Outgoing> outgoing;
    std::vector<NewRecord> records;
    for (const DeadLetter& letter : letters.first(count)) {
      records.push_back(outgoing.emplace_back(letter).record);
    }
    WEIR_CHECK(retries.append(records));
    letters = letters.subspan(count);
  }
  return {};
}

Result<ExitCode> retry(const RetryOptions& options) {
  WEIR_TRY(const DeadLetters letters,
           DeadLetters::open(options.letters.log, options.letters.topic));
  if (!letters.config()) {
    return error(Errc::usage, "retry needs the app: -c app.yaml");
  }
  const Config& config = *letters.config();
  const std::filesystem::path state =
      options.state.empty() ? config.resolve_path(config.app().state().path()) : options.state;
  WEIR_TRY(std::vector<DeadLetter> chosen, choose(letters, options));
  if (options.all) leave_timers_out(chosen);

  std::size_t refused = 0;
  for (const DeadLetter& letter : chosen) {
    const std::string why = obstacle(letter, config, state);
    if (why.empty()) continue;
    ++refused;
    say("{} cannot be sent back: {}", letter.id(), why);
  }
  if (refused > 0) {
    say("nothing was sent; leave {} out", refused == 1 ? "it" : "them");
    return ExitCode::failed;
  }

  WEIR_TRY(const auto retries, open_retry_log(state));
  std::map<std::string, std::set<std::string>> known;  // by task
  for (const DeadLetter& letter : chosen) {
    const std::string task = letter.fact("task");
    if (options.again || known.contains(task)) continue;
    WEIR_TRY(known[task], sent_before(*retries, task));
  }
  const auto was_sent = [&](const DeadLetter& letter) {
    return !options.again && known[letter.fact("task")].contains(letter.id());
  };
  const std::vector<DeadLetter> all = chosen;
  std::erase_if(chosen, was_sent);
  if (!options.dry_run) WEIR_CHECK(send(*retries, chosen));
  for (const DeadLetter& letter : all) {
    print_line(fmt::format("{:<10} {:<16} {:<16} {}", letter.id(), letter.fact("task"),
                           letter.fact("resolver"),
                           was_sent(letter)  ? "was sent back before; --again sends it once more"
                           : options.dry_run ? "would be sent"
                                             : "sent"));
  }
  say("{} {}", counted(chosen.size(), "dead letter"),
      options.dry_run ? "would be sent back" : "sent back");
  return ExitCode::ok;
}

}  // namespace

ExitCode command_deadletters_retry(const RetryOptions& options) {
  const Result<ExitCode> result = retry(options);
  return result ? *result : fail(result.error());
}

}  // namespace weir::host
