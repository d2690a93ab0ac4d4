#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "reload/refusal.hpp"

namespace weir::host {

/// What another process is to try with a build before this one loads it.
struct ProbeRequest {
  enum class What {
    build,   ///< probe_build()
    states,  ///< try_states()
  } what = What::build;
  /// A program and its first arguments, which calls run_probe_child() with those that follow.
  std::vector<std::string> command;
  std::filesystem::path candidate;
  std::filesystem::path running;  ///< the build that runs, loaded beside it
  std::filesystem::path copies;   ///< where the child may put its private copies
  std::filesystem::path state;    ///< the state directory, which a host holds
  struct Resolver {
    std::string name;      ///< in the app's YAML
    std::string resolver;  ///< in the plugin
    std::string settings;  ///< serialized, of the candidate's settings message
    std::string settings_running;
    std::string renamed_from;  ///< what its State may still be stored under; empty: nothing
  };
  std::vector<Resolver> resolvers;
  std::size_t states_max = 500;  ///< of each resolver, drawn at random
  std::uint64_t seed = 0;        ///< of the draw
  std::chrono::milliseconds time_max{10'000};

  /// A record of the log, decoded, for one of `resolvers`.
  struct Record {
    std::size_t resolver = 0;
    bool has_key = false;
    bool has_value = false;
    std::string key;
    std::string value;
    std::string topic;
    std::int64_t offset = 0;
    std::int64_t timestamp_ms = 0;
    std::int32_t partition = 0;
  };
  std::vector<Record> records;
};

/// Loads the build that runs and the candidate into one child process, reads and writes States of
/// the app with both, and hands the candidate records of the log with States that are thrown away.
/// The result is what was done, a line each. Whatever the candidate does there (a crash, an endless
/// loop, an exit) is a Refusal of the step probe.
std::variant<std::vector<std::string>, Refusal> probe_build(const ProbeRequest& request);

/// The child's half. `arguments`: those that probe_build() added. Returns the exit code.
int run_probe_child(std::span<const std::string> arguments);

}  // namespace weir::host
