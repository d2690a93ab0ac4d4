#pragma once

#include "app/output.hpp"
#include "app/reset_plan.hpp"

namespace weir::host {

/// What a reset does to each task: a table, or a line of JSON a task. On stdout.
void print_reset(const ResetPlan& plan, bool drop, OutputFormat format);

/// What an operator must know before: what is read twice, skipped, lost. On stderr.
void say_consequences(const ResetPlan& plan, const ResetRequest& request);

}  // namespace weir::host
