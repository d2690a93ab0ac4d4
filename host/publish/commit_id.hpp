#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "log/log.hpp"
#include "weir/v1/task.pb.h"

namespace weir::host {

/// The id of a new commit of `lineage` that follows `last`; absent: the first one.
v1::CommitId next_commit_id(std::uint64_t lineage, const std::optional<v1::Head>& last);

/// A commit id as the text that travels with the offsets: "weir1;<lineage>;<sequence>;<nonce>",
/// lineage and nonce as 16 hex digits.
std::string to_metadata(const v1::CommitId& id);

/// Absent: not a commit id of ours.
std::optional<v1::CommitId> parse_metadata(std::string_view metadata);

bool same_commit(const v1::CommitId& a, const v1::CommitId& b);

/// What a task has to do with the outbox it finds when it opens.
enum class Recovery {
  nothing_pending,  ///< everything committed has been published
  publish_again,    ///< the newest commit has not: its outbox goes out now
};

/// Compares what the task's store says (`head`, absent: no commit yet) with what the log says it
/// has seen of this task (`seen`, absent: nothing). Errc::refused when the two do not belong
/// together: the task must halt, for any guess would lose or repeat something.
Result<Recovery> reconcile(const std::optional<v1::Head>& head,
                           const std::optional<v1::CommitId>& seen);

/// The same with the log's mark of the task's input. Errc::refused also for a mark that is not a
/// host's.
Result<Recovery> reconcile_with_mark(const std::optional<v1::Head>& head,
                                     const std::optional<Mark>& mark);

}  // namespace weir::host
