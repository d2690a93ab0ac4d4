#include "config/suggest.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace weir::host {
namespace {

constexpr std::size_t word_bytes_max = 64;
constexpr std::size_t listed_max = 20;

std::string folded(std::string_view word) {
  std::string out;
  for (const char c : word) {
    if (c == '_' || c == '-' || c == ' ') continue;
    out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return out;
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string> known) {
  if (word.size() > word_bytes_max) return {};
  const std::string wanted = folded(word);
  if (wanted.empty()) return {};

  std::string_view best;
  std::size_t best_distance = word_bytes_max;
  for (const std::string& candidate : known) {
    if (candidate.size() > word_bytes_max) continue;
    const std::size_t d = distance(wanted, folded(candidate));
    const std::size_t limit =
        std::max<std::size_t>(1, std::max(wanted.size(), candidate.size()) / 3);
    if (d <= limit && d < best_distance && d < candidate.size()) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

std::string suggestion(std::string_view word, std::span<const std::string> known,
                       std::string_view what) {
  if (const std::string_view meant = nearest(word, known); !meant.empty()) {
    return fmt::format("did you mean \"{}\"?", meant);
  }
  if (known.empty()) return {};
  std::vector<std::string> sorted(known.begin(), known.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t shown = std::min(sorted.size(), listed_max);
  const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(shown);
  return fmt::format("{}: {}{}", what, fmt::join(sorted.begin(), end, ", "),
                     shown < sorted.size() ? ", ..." : "");
}

}  // namespace weir::host
