#pragma once

#include <cstdint>

#include "bench/line_case.hpp"

namespace weir::host::bench {

/// What one run took. Plain data: it comes out of a child process through a pipe.
struct Measured {
  double wall_s = 0;
  double cpu_s = 0;  ///< of all threads
  std::uint64_t records = 0;
  std::uint64_t commits = 0;
  std::uint64_t checksum = 0;  ///< sum of all counters in State: both sides must agree

  /// The host only: CPU nanoseconds a record between the named steps of the path, on the worker.
  struct Steps {
    double log = 0, decode = 0, prepare = 0, resolve = 0, save = 0, commit = 0, submit = 0;
    double publisher = 0;  ///< the other thread
  } steps;
};

/// The whole host over the topic of `one`, from start() to the last commit and its publication.
Measured run_host(const Setting& setting, const Case& one, int number);

/// What a careful team writes for this one job, with the same durability (by_hand.cpp).
Measured run_by_hand(const Setting& setting, const Case& one, int number);

/// CPU nanoseconds a record that the plugin's own slots take over the same records, called in a
/// tight loop; every `records_a_commit` the States of all keys touched since then are saved.
struct PluginShare {
  double prepare = 0, resolve = 0, load = 0, save = 0;
};
PluginShare run_plugin_alone(const Setting& setting, const Case& one,
                             std::uint64_t records_a_commit);

/// What the States of a finished run add up to.
std::uint64_t sum_of_states(const std::filesystem::path& state, Case::Work work);

/// CPU time of the calling thread, and of the process, in nanoseconds.
std::int64_t thread_cpu_ns();
std::int64_t process_cpu_ns();
std::int64_t wall_ns();

}  // namespace weir::host::bench
