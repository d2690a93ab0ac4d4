#pragma once

#include <span>
#include <string_view>

#include "task/suspects.hpp"
#include "weir/v1/crash.pb.h"

namespace weir::host {

/// A record or timer is set aside after so many crashes on it.
constexpr int crashes_per_record_max = 2;
/// A task that crashes so often in a row without a record, and without a commit, halts.
constexpr int crashes_without_record_max = 3;

/// What the counted ones of `reports` (oldest first) say of a task.
Suspects suspects_of(std::span<const v1::CrashReport> reports, std::string_view task);

}  // namespace weir::host
