#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"
#include "log/log.hpp"
#include "task/stopped_task.hpp"

namespace weir::host {

/// Where `weir reset --to` lets the tasks go on.
struct ResetTarget {
  enum class Kind { earliest, latest, time, offset, current } kind = Kind::earliest;
  std::int64_t value = 0;  ///< the time in ms, or the offset

  /// earliest, latest, current, an offset, a time of RFC 3339, or 1767225600000ms. Errc::usage.
  static Result<ResetTarget> parse(const std::string& text);
};

struct ResetRequest {
  ResetTarget target;
  std::string source;  ///< only its tasks; empty: of all
  std::string topic;   ///< only those of the source that reads it
  std::optional<std::int32_t> partition;
  bool drop = false;
};

/// One task with what a reset makes of it.
struct TaskMove {
  std::unique_ptr<StoppedTask> task;
  std::int64_t to = 0;
  std::string note;        ///< what the operator should know of `to`; mostly empty
  bool is_needed = false;  ///< false: it stands there already, as it should

  /// Records between, as far as the log still has them; by their offsets, so at most so many.
  std::optional<std::int64_t> read_again() const;
  std::optional<std::int64_t> skipped() const;
};

/// A task whose partition its topic does not have any more.
struct GoneTask {
  std::string name;
  std::filesystem::path directory;
  TaskStore::Contents contents;
};

struct ResetPlan {
  std::vector<TaskMove> moves;
  std::vector<GoneTask> gone;  ///< only with drop
  std::vector<std::string> topics;
  std::int32_t task_count = 0;  ///< of the topics

  bool is_needed() const;
};

/// Looks at every chosen task and changes nothing. `retries`: null where there is none.
/// `after_step` is for the tasks. Errc::usage: no such source, topic, partition or offset.
/// Errc::refused: State cannot be kept.
Result<ResetPlan> plan_reset(const Config& config, const ResetRequest& request,
                             const std::filesystem::path& state, Log& log, Log* retries,
                             std::function<void(std::string_view)> after_step);

}  // namespace weir::host
