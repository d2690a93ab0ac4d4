#include "app/reset_plan.hpp"

#include <algorithm>
#include <filesystem>

#include "app/app_parts.hpp"
#include "app/open.hpp"
#include "base/bytes.hpp"
#include "base/number.hpp"
#include "commit/state_directory.hpp"
#include "config/suggest.hpp"
#include "config/values.hpp"

namespace weir::host {
namespace {

/// Offsets do not come that far, times in milliseconds have long been there.
constexpr std::int64_t looks_like_a_time = 100'000'000'000;

/// A time or an offset.
std::optional<std::int64_t> to_position(std::string_view text) {
  const auto number = to_number<std::int64_t>(text);
  return number >= 0 ? number : std::nullopt;
}

class Planner {
 public:
  Planner(const Config& config, const ResetRequest& request, const std::filesystem::path& state,
          Log& log, Log* retries, std::function<void(std::string_view)> after_step)
      : config_(config),
        request_(request),
        state_(state),
        log_(log),
        retries_(retries),
        after_step_(std::move(after_step)) {}

  Result<ResetPlan> plan() {
    WEIR_TRY(const std::vector<std::string> sources, choose_sources());
    for (const std::string& source : sources) {
      WEIR_TRY(const TopicInfo topic, find_topic(log_, config_.app().sources().at(source).topic()));
      WEIR_CHECK(check_partition(topic));
      plan_.topics.push_back(topic.name);
      plan_.task_count += topic.partition_count;
      for (std::int32_t p = 0; p < topic.partition_count; ++p) {
        if (request_.partition && *request_.partition != p) continue;
        WEIR_CHECK(add(source, topic, p));
      }
      if (!request_.partition) WEIR_CHECK(add_gone(source, topic));
    }
    return std::move(plan_);
  }

 private:
  Result<std::vector<std::string>> choose_sources() const {
    const auto& all = config_.app().sources();
    std::vector<std::string> sources = sources_with_tasks(config_.app());
    if (!request_.source.empty()) {
      if (std::find(sources.begin(), sources.end(), request_.source) == sources.end()) {
        return error(Errc::usage, "--source {}: the app has no such source with a resolver; {}",
                     printable(request_.source), suggestion(request_.source, sources, "sources"));
      }
      sources = {request_.source};
    }
    if (request_.topic.empty()) return sources;
    std::vector<std::string> topics;
    for (const std::string& source : sources) topics.push_back(all.at(source).topic());
    std::erase_if(sources,
                  [&](const auto& name) { return all.at(name).topic() != request_.topic; });
    if (!sources.empty()) return sources;
    return error(Errc::usage, "--topic {}: no source of the app reads it; {}",
                 printable(request_.topic), suggestion(request_.topic, topics, "topics"));
  }

  Result<void> check_partition(const TopicInfo& topic) const {
    if (!request_.partition) return {};
    if (*request_.partition >= 0 && *request_.partition < topic.partition_count) return {};
    return error(Errc::usage, "--partition {}: topic {} has partitions 0 to {}",
                 *request_.partition, topic.name, topic.partition_count - 1);
  }

  StoppedTask::Options options_of(const std::string& name, const TopicInfo& topic,
                                  std::int32_t partition) const {
    const config::v1::App& app = config_.app();
    return {.app = app.app(),
            .name = name,
            .input = {topic.name, partition},
            .partition_count = topic.partition_count,
            .topic_identity = topic.identity,
            .store = store_options(app, state_, name),
            .after_step = after_step_};
  }

  Result<void> add(const std::string& source, const TopicInfo& topic, std::int32_t partition) {
    const std::string name = task_name(source, partition);
    TaskMove move;
    WEIR_TRY(move.task, StoppedTask::open(options_of(name, topic, partition), log_, retries_));
    const StoppedTask::Standing& at = move.task->standing();
    if (!request_.drop) WEIR_CHECK(check_kept(topic, name, at));
    WEIR_CHECK(resolve(move, topic.name, partition));
    const bool stays = at.next_offset == move.to && at.is_same_topic && at.mark_fits &&
                       at.partition_count == topic.partition_count;
    const bool has_content = at.states > 0 || at.timers > 0 || at.parked > 0 || at.returned > 0;
    move.is_needed = !stays || (request_.drop && has_content);
    plan_.moves.push_back(std::move(move));
    return {};
  }

  static Result<void> check_kept(const TopicInfo& topic, const std::string& task,
                                 const StoppedTask::Standing& at) {
    if (!at.next_offset || at.partition_count == topic.partition_count) return {};
    return other_count(topic, task, at.partition_count);
  }

  static Error other_count(const TopicInfo& topic, const std::string& task, std::int32_t before) {
    return error(Errc::refused,
                 "--state keep: topic {} has {} partitions, the State of task {} was made with {}; "
                 "its keys are in other partitions now, so no State can be kept: make it anew with "
                 "--state drop --to earliest",
                 topic.name, topic.partition_count, task, before);
  }

  Result<void> resolve(TaskMove& move, const std::string& topic, std::int32_t partition) const {
    const StoppedTask::Standing& at = move.task->standing();
    const std::string input = fmt::format("topic {} partition {}", topic, partition);
    const std::int64_t value = request_.target.value;
    switch (request_.target.kind) {
      case ResetTarget::Kind::earliest:
        move.to = at.range.begin;
        return {};
      case ResetTarget::Kind::latest:
        move.to = at.range.end;
        return {};
      case ResetTarget::Kind::time: {
        WEIR_TRY(move.to, log_.offset_at({topic, partition}, value));
        if (move.to == at.range.end) {
          move.note = fmt::format(
              "no record of {} is of {} or later: it goes on at the end, as with "
              "--to latest",
              input, format_time_ms(value));
        }
        return {};
      }
      case ResetTarget::Kind::offset:
        if (value < at.range.begin || value > at.range.end) {
          return error(Errc::usage, "--to {}: {} holds offsets {} to {}{}", value, input,
                       at.range.begin, at.range.end,
                       value < looks_like_a_time
                           ? "; name one of them, or earliest or latest"
                           : fmt::format("; for a time in milliseconds write {}ms", value));
        }
        move.to = value;
        return {};
      case ResetTarget::Kind::current:
        break;
    }
    if (!at.next_offset) {
      return error(Errc::refused,
                   "--to current: task {} has no State, so it stands nowhere; say another --to",
                   move.task->options().name);
    }
    if (*at.next_offset < at.range.begin || *at.next_offset > at.range.end) {
      return error(Errc::refused,
                   "--to current: the State of task {} goes on at {}, and {} holds offsets {} to "
                   "{}; say --to earliest or latest",
                   move.task->options().name, *at.next_offset, input, at.range.begin, at.range.end);
    }
    move.to = *at.next_offset;
    return {};
  }

  /// Tasks of partitions that the topic no longer has: it was made anew with fewer.
  Result<void> add_gone(const std::string& source, const TopicInfo& topic) {
    std::error_code code;
    std::vector<std::int64_t> partitions;
    for (std::filesystem::directory_iterator at(StateDirectory::tasks_in(state_), code), end;
         !code && at != end; at.increment(code)) {
      const std::string name = at->path().filename().string();
      if (!name.starts_with(source + "-")) continue;
      const auto number = to_position(std::string_view(name).substr(source.size() + 1));
      if (number >= topic.partition_count) partitions.push_back(*number);
    }
    std::sort(partitions.begin(), partitions.end());
    for (const std::int64_t partition : partitions) {
      const StoppedTask::Options options =
          options_of(task_name(source, static_cast<std::int32_t>(partition)), topic,
                     static_cast<std::int32_t>(partition));
      WEIR_TRY(const auto store, TaskStore::open(options.store));
      const std::int32_t before =
          store->head() ? store->head()->inputs(0).partition_count() : topic.partition_count;
      if (!request_.drop) return other_count(topic, options.name, before);
      WEIR_TRY(const TaskStore::Contents contents, store->contents());
      plan_.gone.push_back({options.name, options.store.directory, contents});
    }
    return {};
  }

  const Config& config_;
  const ResetRequest& request_;
  const std::filesystem::path& state_;
  Log& log_;
  Log* retries_;
  std::function<void(std::string_view)> after_step_;
  ResetPlan plan_;
};

}  // namespace

Result<ResetTarget> ResetTarget::parse(const std::string& text) {
  using Kind = ResetTarget::Kind;
  if (text == "earliest") return ResetTarget{Kind::earliest, 0};
  if (text == "latest") return ResetTarget{Kind::latest, 0};
  if (text == "current") return ResetTarget{Kind::current, 0};
  if (const auto offset = to_position(text)) return ResetTarget{Kind::offset, *offset};
  if (text.ends_with("ms")) {
    const auto time_ms = to_position(std::string_view(text).substr(0, text.size() - 2));
    if (time_ms) return ResetTarget{Kind::time, *time_ms};
  }
  if (const auto time_ms = parse_time_ms(text)) return ResetTarget{Kind::time, *time_ms};
  return error(
      Errc::usage,
      "--to {}: expected earliest, latest, current, an offset such as 1200, or a time such "
      "as 2026-01-31T00:00:00Z or 1767225600000ms",
      printable(text));
}

std::optional<std::int64_t> TaskMove::read_again() const {
  const StoppedTask::Standing& at = task->standing();
  if (!at.next_offset || !at.is_same_topic) return std::nullopt;
  return std::max<std::int64_t>(std::min(*at.next_offset, at.range.end) - to, 0);
}

std::optional<std::int64_t> TaskMove::skipped() const {
  const StoppedTask::Standing& at = task->standing();
  if (!at.next_offset || !at.is_same_topic) return std::nullopt;
  return std::max<std::int64_t>(to - std::max(*at.next_offset, at.range.begin), 0);
}

bool ResetPlan::is_needed() const {
  return !gone.empty() ||
         std::any_of(moves.begin(), moves.end(), [](const TaskMove& one) { return one.is_needed; });
}

Result<ResetPlan> plan_reset(const Config& config, const ResetRequest& request,
                             const std::filesystem::path& state, Log& log, Log* retries,
                             std::function<void(std::string_view)> after_step) {
  return Planner(config, request, state, log, retries, std::move(after_step)).plan();
}

}  // namespace weir::host
