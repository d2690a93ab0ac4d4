#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace weir::host {

/// "1 task", "2 tasks".
std::string counted(std::integral auto count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace weir::host
