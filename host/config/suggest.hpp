#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::host {

/// The entry of `known` that somebody who wrote `word` most likely meant; empty when none is near.
/// Small slips only (one letter in three, case and the kind of separator do not count): a wrong
/// guess is worse than none.
std::string_view nearest(std::string_view word, std::span<const std::string> known);

/// `did you mean "x"?`, or else `known: a, b, c` with `what` in front, or empty when nothing is
/// known.
std::string suggestion(std::string_view word, std::span<const std::string> known,
                       std::string_view what);

}  // namespace weir::host
