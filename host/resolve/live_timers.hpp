#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <xxhash.h>

#include "base/result.hpp"
#include "base/timer.hpp"

namespace weir::host {

/// The port through which timers that were committed are read.
class CommittedTimers {
 public:
  virtual ~CommittedTimers() = default;
  virtual Result<std::optional<Timer>> get(std::string_view key) = 0;
  /// The next `count` in the order of (time, key), behind `after`; null: the first ones.
  virtual Result<std::vector<KeyTimer>> next(const KeyTimer* after, std::size_t count) = 0;
};

/// The timers of one resolver in one task: what is committed, and above it what the open commit has
/// changed. Memory follows the open commit alone. Knows nothing of clocks and calls. [task]
class LiveTimers {
 public:
  static constexpr std::int64_t never_ms = std::numeric_limits<std::int64_t>::max();

  explicit LiveTimers(CommittedTimers& committed) : committed_(committed) {}
  LiveTimers(const LiveTimers&) = delete;
  LiveTimers& operator=(const LiveTimers&) = delete;

  /// Looks at what is committed: before the first use, and after each commit.
  Result<void> reload();

  /// What the earliest timer is set to; never_ms: there is none.
  std::int64_t first_ms() const { return first_ms_; }

  /// The earliest timer in the order of (time, key). Only while first_ms() is not never_ms.
  KeyTimer first() const;

  /// The key's timer as the last successful call left it; absent: none.
  Result<std::optional<Timer>> get(std::string_view key) const;

  /// Sets the key's timer; absent: clears it.
  Result<void> put(std::string_view key, std::optional<Timer> timer);

  /// The key's timer is not among the first any more, whatever it is or will be set to, until it is
  /// released.
  Result<void> hold(std::string_view key);
  Result<void> release(std::string_view key);

  struct Change {
    std::string_view key;  ///< valid until the next reload()
    std::optional<Timer> timer;
  };
  /// What the commit has to write, sorted by key.
  std::vector<Change> changes() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const {
      return XXH3_64bits(key.data(), key.size());
    }
  };
  Result<void> look_ahead();
  bool is_held(std::string_view key) const { return !held_.empty() && held_.contains(key); }

  CommittedTimers& committed_;
  // Of the open commit. A key stays here until the commit, also when it is set back: the committed
  // timer below it has been passed over for good.
  std::unordered_map<std::string, std::optional<Timer>, Hash, std::equal_to<>> changed_;
  // Those that are set and not held.
  std::set<std::pair<std::int64_t, std::string_view>> changed_in_order_;
  std::unordered_set<std::string, Hash, std::equal_to<>> held_;
  // Committed ones in order, a page of them; those before next_ are in changed_ or held_.
  std::vector<KeyTimer> page_;
  std::size_t next_ = 0;
  bool last_page_ = true;
  std::int64_t first_ms_ = never_ms;
};

}  // namespace weir::host
