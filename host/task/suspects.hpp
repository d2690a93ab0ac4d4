#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::host {

/// What earlier processes have crashed on in a task, as far as it matters to this one. Counts are
/// of one generation of a plugin: another build gets a fresh chance.
struct Suspects {
  /// A record or timer that a generation has crashed on twice: it is set aside.
  struct Crashed {
    std::string resolver;
    std::string sha256;
    bool timer = false;
    std::int64_t at = 0;      ///< the record's offset, or what the timer was set to
    bool in_prepare = false;  ///< what key the resolver gives it is not known
    std::string key;          ///< the timer's
    std::string report;       ///< id of the newest crash on it
    std::string reason;
  };
  std::vector<Crashed> crashed;

  /// Records that one call of prepare() has crashed on: they are prepared one at a time, so that
  /// the next crash names the one.
  struct Range {
    std::int64_t first = 0;
    std::int64_t last = 0;
  };
  std::vector<Range> careful;

  /// Crashes that belong to no record and come again and again: why the task cannot go on.
  struct Stuck {
    std::string resolver;
    std::string sha256;
    std::string reason;
  };
  std::vector<Stuck> stuck;

  bool empty() const { return crashed.empty() && careful.empty() && stuck.empty(); }
};

}  // namespace weir::host
