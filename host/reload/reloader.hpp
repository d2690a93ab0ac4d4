#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/logger.hpp"
#include "reload/generations.hpp"
#include "reload/migration.hpp"
#include "reload/probation.hpp"
#include "reload/refusal.hpp"
#include "reload/reload_app.hpp"
#include "reload/stage.hpp"
#include "reload/swap_tasks.hpp"

namespace weir::host {

/// What an operator asks for.
struct ReloadRequest {
  enum class What {
    reload,    ///< all of the steps
    dry_run,   ///< as far as nothing of the file runs in this process
    load,      ///< all but the swap; waits for activate
    activate,  ///< the swap of what was loaded
    rollback,  ///< back to the build before
  } what = What::reload;
  std::string plugin;                         ///< empty: the only one of the app
  std::filesystem::path file;                 ///< empty: the one that the YAML names
  std::string sha256;                         ///< of the file, where the one who asks knows it
  std::chrono::milliseconds timeout{10'000};  ///< for the tasks to go over
};

/// What has happened.
enum class ReloadOutcome {
  reloaded,
  unchanged,  ///< the file is the build that runs; nothing was done
  checked,    ///< a dry run has found nothing against it
  loaded,     ///< it waits for activate
  rolled_back,
};
std::string_view word_of(ReloadOutcome outcome);

struct ReloadReport {
  std::string plugin;
  ReloadOutcome outcome = ReloadOutcome::reloaded;
  v1::Generation before;
  v1::Generation after;
  std::vector<std::string> state_changes;  ///< between the State types of the two, a line each
  std::vector<std::string> checked;        ///< what was looked at, a line each
  std::size_t tasks = 0;
  std::int64_t longest_pause_us = 0;
  std::int64_t probation_ms = 0;  ///< 0: there is none
};

using ReloadAnswer = std::variant<ReloadReport, Refusal>;

/// Replaces the builds of an app's plugins while its tasks run. [control], apart from what says so:
/// one thread, which also calls turn() from time to time.
class Reloader {
 public:
  struct Options {
    std::filesystem::path state;
    bool restarted = false;  ///< no operator has started the host: its last worker process died
    ProbationLimits probation;
    /// So many builds may stay mapped although nothing uses them; then none is loaded any more.
    std::uint64_t pinned_max = 16;
    /// The newest crash of the build with this hash since then: its report's id, or nothing. May be
    /// empty.
    std::function<std::string(const std::string& sha256, std::int64_t since_ms)> crash_of;
    /// A program and its first arguments, which calls run_probe_child() with those that follow;
    /// empty: a candidate is not tried in another process.
    std::vector<std::string> probe_command;
    /// Called while the tasks are waited for; where nobody else turns them, this does. May be
    /// empty.
    std::function<void()> turn_tasks;
    /// Called after named steps of a reload; tests stop the process there. May be empty.
    std::function<void(std::string_view step)> after_step;
  };
  static Result<std::unique_ptr<Reloader>> open(ReloadApp& app, Clock& clock, Logger& logger,
                                                Options options);
  /// After the threads of the tasks have ended.
  ~Reloader();

  ReloadAnswer run(const ReloadRequest& request);
  /// Every plugin whose file is not the build that runs.
  std::vector<ReloadAnswer> reload_changed(std::chrono::milliseconds timeout);

  /// Begins to migrate all States of a plugin, empty: of the only one; where that is under way,
  /// it goes on. One plugin at a time.
  std::variant<Migration::Progress, Refusal> migrate(const std::string& plugin);
  /// How the last one stands; absent: there was none since the start.
  std::optional<Migration::Progress> migration() const;

  /// Ends probations, goes back where a budget is spent, and unloads what is not in use any more.
  /// False: there is nothing to be called for until the next reload.
  bool turn();

  /// What waits gives up. [any]
  void stop() { stopping_.store(true); }

  /// Builds that stay mapped although nothing uses them.
  std::uint64_t pinned() const { return pinned_; }
  /// Builds that are loaded, those that run included.
  std::size_t loaded() const;

  const Generations& history() const { return generations_; }

 private:
  struct Candidate {
    std::shared_ptr<Plugin> plugin;
    v1::Generation generation;
  };
  struct Slot {  // of one plugin
    std::string name;
    std::filesystem::path file;
    std::shared_ptr<Plugin> running;
    v1::Generation generation;
    std::shared_ptr<Plugin> before;  // in probation: what it goes back to
    v1::Generation generation_before;
    std::optional<Probation> probation;
    std::int64_t go_back_ms = 0;  // not before, on the steady clock
    std::optional<Candidate> loaded;
    std::uint64_t reloads = 0;
    std::uint64_t refusals = 0;
    std::uint64_t rollbacks = 0;
  };

  Reloader(ReloadApp& app, Clock& clock, Logger& logger, Options options, Generations generations);
  Result<void> note_start(const Slot& slot);
  Slot* find(const std::string& plugin);
  Refusal unknown(const std::string& plugin) const;
  ReloadAnswer reload(Slot& slot, const ReloadRequest& request, bool is_known = false);
  /// What the file must be, by the one who asks and by the YAML.
  std::variant<std::string, Refusal> hash_of(const Slot& slot, const ReloadRequest& request,
                                             bool is_known) const;
  /// Nothing may be swapped now; absent: it may.
  std::optional<Refusal> going_back() const;
  std::optional<Refusal> check(Slot& slot, const Staged& staged, ReloadReport& report);
  std::optional<Refusal> probe(const Slot& slot, const Staged& staged, ReloadReport& report);
  std::variant<Candidate, Refusal> load(const Staged& staged, const v1::Generation& generation);
  ReloadAnswer activate(Slot& slot, Candidate candidate, const ReloadRequest& request,
                        ReloadReport report);
  ReloadAnswer roll_back(Slot& slot, const ReloadRequest& request);
  ReloadAnswer go_back(Slot& slot, ReloadCode code, const std::string& why,
                       std::chrono::milliseconds timeout);
  void promote(Slot& slot);
  ReloadAnswer refuse(Slot& slot, const v1::Generation* generation, Refusal refusal);
  void retire(std::shared_ptr<Plugin> plugin);
  bool unload_retired();
  void note(const Result<void>& written);
  void show();
  void step(std::string_view name) {
    if (options_.after_step) options_.after_step(name);
  }

  ReloadApp& app_;
  Clock& clock_;
  Logger& logger_;
  Options options_;
  Generations generations_;
  std::vector<Slot> slots_;
  std::optional<Migration> migration_;
  std::vector<std::shared_ptr<Plugin>> retired_;
  SwapsInRetirement swaps_;  // after the plugins that their instances need
  std::atomic<bool> stopping_{false};
  std::uint64_t pinned_ = 0;
};

}  // namespace weir::host
