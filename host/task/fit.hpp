#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "log/log.hpp"
#include "publish/commit_id.hpp"
#include "weir/v1/task.pb.h"

namespace weir::host {

/// What a task's State has to fit, and what its messages name.
struct Fit {
  std::string yaml;    ///< the app's file as the user names it, for commands
  std::string source;  ///< that the task belongs to
  TopicPartition input;
  std::int32_t partition_count = 1;
  std::string topic_identity;
};

/// Whether the log still is what the State was made from. `range`: of the input. Errc::refused: it
/// is not; the message says by which command to go on.
Result<void> check_input(const Fit& fit, const v1::Input& input, const OffsetRange& range);

/// What a record is known by again; its headers do not count.
v1::LastRecord last_record(const Record& record);

/// Errc::refused: the log holds another record than `last` in its place. Gone is not another.
Result<void> check_record(const Fit& fit, const v1::LastRecord& last, const Record& found);

/// The same with a reader of its own, for one that can wait: a topic that was made anew has no
/// marks either, and says less by that.
Result<void> check_last_record(const Fit& fit, const v1::Input& input, const OffsetRange& range,
                               Log& log);

/// What reconcile_with_mark() says, and a refusal with the way out.
Result<Recovery> check_mark(const Fit& fit, const std::optional<v1::Head>& head,
                            const std::optional<Mark>& mark);

}  // namespace weir::host
