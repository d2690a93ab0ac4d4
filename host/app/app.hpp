#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/app_parts.hpp"
#include "app/app_reloads.hpp"
#include "app/app_view.hpp"
#include "base/clock.hpp"
#include "base/logger.hpp"
#include "base/result.hpp"
#include "commit/state_directory.hpp"
#include "commit/task_store.hpp"
#include "config/config.hpp"
#include "log/log.hpp"
#include "publish/publisher.hpp"
#include "reload/reloader.hpp"
#include "resolve/plugin.hpp"
#include "supervise/crash_report.hpp"
#include "supervise/journal.hpp"
#include "task/task.hpp"
#include "task/worker.hpp"

namespace weir::host {

/// The files that the YAML names, in its order.
std::vector<std::filesystem::path> plugin_files(const Config& config);

/// Everything that is wrong between the app's YAML and the plugins that it names, with positions.
/// Reads their files and runs none of their code. Errc::config.
Result<void> check_plugins(const Config& config);
/// The same for `files` in the place of those that it names.
Result<void> check_plugins(const Config& config, const std::vector<std::filesystem::path>& files);

/// In the place of those of `files` that the YAML pins, copies of the very bytes that were
/// compared. Errc::refused: one of them has another hash.
Result<void> stage_pinned(const Config& config, const std::filesystem::path& state,
                          std::vector<std::filesystem::path>& files);

/// Errc::refused: a `weir reset` was interrupted, and no task may go on.
Result<void> check_no_reset(const StateDirectory& directory);

/// One running app: the state directory, its log, its plugins, and a task for each partition of
/// each source. Builds the parts in the order in which they depend on each other, and takes them
/// down in the opposite one.
class App {
 public:
  struct Options {
    std::optional<std::filesystem::path> state;  ///< in place of the YAML's
    /// Where plugins are loaded from in place of the files that the YAML names, in their order;
    /// empty: from those.
    std::vector<std::filesystem::path> plugin_files;
    Log* log = nullptr;       ///< in place of the YAML's; outlives the app
    bool own_threads = true;  ///< false: the caller turns the tasks (tasks()), publishing is inline
    bool sync = true;         ///< false: the process is the only fault that can happen
    pid_t named_pid = 0;      ///< whom others are told to stop; 0: this process
    bool until_end = false;   ///< stop when everything is handled that is in the log at the start
    /// Called with the state directory as soon as it is locked: where to note what is in flight.
    /// The journal outlives the app. May be empty, or answer null: nobody wants to know.
    std::function<Result<Journal*>(const std::filesystem::path& state)> open_journal;
    /// Calls that were slow, by resolver, for the admin side. Outlives the app. May be empty.
    AppView::SlowCalls slow_calls;
    /// Called as soon as the state directory is locked and the log is open, before there are tasks.
    /// What it returns ends before everything that it was given. May be empty: without it the app
    /// and the TestDriver know nothing of servers.
    std::function<Result<std::shared_ptr<void>>(HostView& view, Log& log,
                                                const std::filesystem::path& state)>
        start_admin;
    /// Called after named steps of the path; tests stop the process there. May be empty.
    std::function<void(std::string_view step)> after_step;
  };

  /// Errc::config: findings of check_plugins(). Errors of single tasks that are their own
  /// (State and log do not fit together) are errors here too: nothing has started yet.
  static Result<std::unique_ptr<App>> open(const Config& config, Options options, Clock& clock,
                                           Logger& logger);
  ~App();

  void start();
  void request_stop();
  bool is_done() const;
  void join();

  Worker::Progress progress() const;
  const Error* first_halt() const;  ///< after join(), or where the caller turns the tasks

  /// What replaces plugins while the app runs; for one thread at a time, whose use of it ends
  /// before the app. After open(), once.
  Result<Reloader*> open_reloader(Reloader::Options options);

  /// Since when, on the clock's steady time, a call into the log has not come back; absent: none is
  /// under way. [any]
  std::optional<std::int64_t> log_call_since_ms() const;

  std::vector<Task*> tasks();
  /// The same with what tells that their threads have ended. After open_reloader().
  std::vector<ReloadApp::RunningTask> running_tasks() { return reloads_->tasks(); }
  const std::vector<std::shared_ptr<Plugin>>& plugins() const { return plugins_; }
  const std::filesystem::path& state_path() const { return directory_->path(); }
  Log& log() { return *log_; }

 private:
  App(const Config& config, Options options, Clock& clock, Logger& logger);
  Result<void> build();
  Result<void> open_topics();
  Result<void> join_group();
  std::size_t worker_count() const;
  Result<void> check_mark(const TopicPartition& input, const std::optional<Mark>& mark);
  Result<void> check_fit(const std::string& source, const TopicInfo& info,
                         const TopicPartition& input, const std::optional<v1::Head>& head,
                         const std::optional<Mark>& mark);
  Result<std::vector<Worker::Assignment>> open_tasks(std::size_t worker);
  TaskStore::Options store_options(const std::string& task) const;
  Result<TaskOptions> task_options(const std::string& source, std::int32_t partition);
  Result<void> add_resolvers(const std::string& source, TaskOptions& task);

  const Config& config_;
  Options options_;
  Clock& clock_;
  Logger& logger_;
  std::unique_ptr<StateDirectory> directory_;
  std::unique_ptr<Log> own_log_;
  std::unique_ptr<Log> retries_;  // null: the caller has brought the log
  Log* log_ = nullptr;
  std::vector<std::shared_ptr<Plugin>> plugins_;
  std::vector<std::pair<std::string, TopicInfo>> source_topics_;  // by source, sorted
  AppSinks sinks_;
  Journal* journal_ = nullptr;
  std::vector<v1::CrashReport> crashes_;  // of earlier processes
  std::int32_t task_count_ = 0;
  std::mutex stdout_mutex_;
  std::vector<std::unique_ptr<Publisher>> publishers_;  // one a worker
  std::vector<std::unique_ptr<Worker>> workers_;
  AppView view_;  // of the above
  std::unique_ptr<AppReloads> reloads_;
  std::unique_ptr<Reloader> reloader_;
  std::shared_ptr<void> admin_;  // reads view_, so it ends first
};

}  // namespace weir::host
