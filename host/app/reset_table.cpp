#include "app/reset_table.hpp"

#include <algorithm>
#include <array>

#include <fmt/ranges.h>

#include "base/counted.hpp"

namespace weir::host {
namespace {

constexpr std::size_t columns = 10;
using Row = std::array<std::string, columns>;
constexpr std::size_t left_columns = 2;  // task and input; numbers stand at the right

std::string or_dash(const std::optional<std::int64_t>& number) {
  return number ? fmt::format("{}", *number) : "-";
}

std::string content(std::uint64_t count, bool drop) {
  if (count == 0) return "0";
  return fmt::format("{} {}", count, drop ? "dropped" : "kept");
}

Row row_of(const TaskMove& move, bool drop) {
  const StoppedTask::Standing& at = move.task->standing();
  const TopicPartition& input = move.task->options().input;
  std::string to = fmt::format("{}", move.to);
  if (!move.is_needed) to = "stays";
  return {move.task->options().name,
          fmt::format("{}/{}", input.topic, input.partition),
          or_dash(at.is_same_topic ? at.next_offset : std::nullopt),
          std::move(to),
          or_dash(move.read_again()),
          or_dash(move.skipped()),
          content(at.states, drop),
          content(at.timers, drop),
          content(at.parked, drop),
          content(at.returned, drop)};
}

void print_table(const ResetPlan& plan, bool drop) {
  std::vector<Row> rows = {{"task", "input", "from", "to", "read again", "skipped", "States",
                            "timers", "parked", "letters sent back"}};
  for (const TaskMove& move : plan.moves) rows.push_back(row_of(move, drop));
  for (const GoneTask& gone : plan.gone) {
    rows.push_back({gone.name, "(no such partition)", "-", "-", "-", "-",
                    content(gone.contents.states, true), content(gone.contents.timers, true),
                    content(gone.contents.parked, true), "-"});
  }
  std::array<std::size_t, columns> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < columns; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < columns; ++i) {
      line += i < left_columns ? fmt::format("{:<{}}", row[i], widths[i])
                               : fmt::format("{:>{}}", row[i], widths[i]);
      if (i + 1 < columns) line += "  ";
    }
    print_line(line);
  }
}

std::string json_number(const std::optional<std::int64_t>& number) {
  return number ? fmt::format("{}", *number) : "null";
}

void print_json(const ResetPlan& plan, bool drop) {
  const char* const state = drop ? "drop" : "keep";
  for (const TaskMove& move : plan.moves) {
    const StoppedTask::Standing& at = move.task->standing();
    const TopicPartition& input = move.task->options().input;
    print_line(fmt::format(
        R"({{"task":{},"topic":{},"partition":{},"from":{},"to":{},"read_again":{},"skipped":{},)"
        R"("state":"{}","states":{},"timers":{},"parked":{},"letters_sent_back":{},"changes":{}}})",
        json_string(move.task->options().name), json_string(input.topic), input.partition,
        json_number(at.is_same_topic ? at.next_offset : std::nullopt), move.to,
        json_number(move.read_again()), json_number(move.skipped()), state, at.states, at.timers,
        at.parked, at.returned, move.is_needed));
  }
  for (const GoneTask& gone : plan.gone) {
    print_line(fmt::format(
        R"({{"task":{},"to":null,"state":"{}","states":{},"timers":{},"parked":{},"changes":true}})",
        json_string(gone.name), state, gone.contents.states, gone.contents.timers,
        gone.contents.parked));
  }
}

}  // namespace

void print_reset(const ResetPlan& plan, bool drop, OutputFormat format) {
  if (format == OutputFormat::json) {
    print_json(plan, drop);
  } else {
    print_table(plan, drop);
  }
}

void say_consequences(const ResetPlan& plan, const ResetRequest& request) {
  std::int64_t again = 0;
  std::int64_t skipped = 0;
  std::uint64_t parked = 0;
  bool has_state = false;
  bool lacks_some = false;
  std::vector<std::string> repeating;
  std::vector<std::string> unfit;
  for (const TaskMove& move : plan.moves) {
    const StoppedTask::Standing& at = move.task->standing();
    if (!move.note.empty()) say("{}", move.note);
    if (!move.is_needed) continue;
    again += move.read_again().value_or(0);
    skipped += move.skipped().value_or(0);
    parked += at.parked;
    has_state = has_state || at.states > 0;
    lacks_some = lacks_some || move.to > at.range.begin;
    if (at.may_repeat) repeating.push_back(move.task->options().name);
    if (!at.mark_fits && at.next_offset) unfit.push_back(move.task->options().name);
  }
  if (again > 0 && !request.drop) {
    say("--state keep: up to {} records have been applied to this State and are applied to it a "
        "second time; what it counts, it counts twice (--state drop makes it anew)",
        again);
  }
  if (parked > 0 && !request.drop) {
    say("{} that wait{} for another try stay, and are tried when the host runs again",
        counted(parked, "record"), parked == 1 ? "s" : "");
  }
  if (again > 0) say("features and dead letters of what is read again are published again");
  if (skipped > 0)
    say("up to {} records are never read: no State and no feature has them", skipped);
  if (request.drop && has_state && lacks_some) {
    say("--state drop without --to earliest: the new State knows nothing of the records before");
  }
  if (!unfit.empty()) {
    say("the log's mark of this app is not that of the State of {}; the reset writes it anew",
        fmt::join(unfit, ", "));
  }
  if (!repeating.empty()) {
    say("nobody can tell whether the output of the newest commit of {} is in the log: it is "
        "published, perhaps for the second time",
        fmt::join(repeating, ", "));
  }
}

}  // namespace weir::host
