#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace weir::host {

/// For tests of recovery: "STEP:N" kills the process when the step is reached for the N-th time.
/// Empty text: an empty function.
std::function<void(std::string_view step)> killer(const std::string& kill_at);

}  // namespace weir::host
