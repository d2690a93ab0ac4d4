#pragma once

#include <cstdint>
#include <string>

#include "base/clock.hpp"
#include "task/worker.hpp"

namespace weir::host {

/// How far a run has come, on stderr: a bar that moves on a terminal, a line every ten seconds
/// elsewhere. Without a known end, lines only. One thread.
class ProgressDisplay {
 public:
  ProgressDisplay(Clock& clock, bool has_end, bool enabled);

  /// Cheap to call often; draws as often as is useful.
  void update(const Worker::Progress& progress);

  /// Takes the bar away, so that other lines can follow.
  void clear();

 private:
  std::string bar(const Worker::Progress& progress, double records_per_second) const;

  Clock& clock_;
  bool has_end_;
  bool enabled_;
  bool is_terminal_;
  bool drawn_ = false;
  std::int64_t next_ms_ = 0;
  std::int64_t last_ms_ = 0;
  std::uint64_t last_records_ = 0;
  double rate_ = 0;
};

}  // namespace weir::host
