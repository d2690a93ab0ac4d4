#include "app/command_run.hpp"

#include <atomic>
#include <cstdlib>
#include <map>
#include <thread>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/admin.hpp"
#include "app/app.hpp"
#include "app/command_reload.hpp"
#include "app/control.hpp"
#include "app/kill_at.hpp"
#include "app/output.hpp"
#include "app/plugin_watch.hpp"
#include "app/progress.hpp"
#include "app/stop_signal.hpp"
#include "base/counted.hpp"
#include "base/signal_stack.hpp"
#include "config/config.hpp"
#include "supervise/crash_handler.hpp"
#include "supervise/crash_report.hpp"
#include "supervise/journal.hpp"
#include "supervise/supervisor.hpp"
#include "supervise/watchdog.hpp"
#include "supervise/worker_page.hpp"

namespace weir::host {
namespace {

constexpr std::chrono::milliseconds tick{50};

LogLevel to_level(std::string_view level) {
  if (level == "debug") return LogLevel::debug;
  if (level == "warn") return LogLevel::warn;
  if (level == "error") return LogLevel::error;
  return LogLevel::info;
}

Logger::Format to_format(std::string_view format) {
  if (format == "text") return Logger::Format::human;
  if (format == "json") return Logger::Format::json;
  return Logger::format_for_stderr();
}

/// This process, as it stands to a supervisor.
struct Place {
  WorkerPage* page = nullptr;  ///< null: there is no supervisor
  Journal* journal = nullptr;  ///< as well
  pid_t pid = 0;               ///< of the process that an operator stops
  std::uint64_t restarts = 0;

  void set_stage(WorkerPage::Stage stage) const {
    if (page != nullptr) page->set_stage(stage);
  }
};

/// Listens where the YAML says; where the worker process before this one did, if that had to
/// choose.
std::function<Result<std::shared_ptr<void>>(HostView&, Log&, const std::filesystem::path&)>
admin_starter(const config::v1::App& app, const Place& place, Clock& clock, Logger& logger) {
  return [&app, place, &clock, &logger](
             HostView& view, Log& log,
             const std::filesystem::path& state) -> Result<std::shared_ptr<void>> {
    const config::v1::Admin& admin = app.admin();
    WEIR_TRY(const ListenAddress listen, parse_listen_address(admin.listen()));
    if (listen.kind == ListenAddress::Kind::off) return std::shared_ptr<void>();
    Admin::Options options{.listen = listen,
                           .allow_remote = admin.allow_remote(),
                           .stuck_after_ms = admin.stuck_after(),
                           .state = state,
                           .pid = place.pid,
                           .restarts = place.restarts};
    const bool chosen = listen.kind == ListenAddress::Kind::tcp && listen.port == 0;
    if (chosen && place.restarts > 0) {
      if (auto before = parse_listen_address(place.page->answers().listen)) {
        options.listen = *std::move(before);
      }
    }
    auto started = Admin::start(options, {view, log, clock, logger});
    if (!started && chosen) {
      options.listen = listen;
      started = Admin::start(options, {view, log, clock, logger});
    }
    if (!started) return std::move(started).error();
    if (place.page != nullptr) {
      place.page->set_answers({.app = app.app(),
                               .state = std::filesystem::absolute(state).string(),
                               .listen = (*started)->address().text(),
                               .allow_remote = admin.allow_remote()});
    }
    return std::shared_ptr<void>(*std::move(started));
  };
}

/// What notes what is in flight, and looks at it.
struct Watch {
  std::filesystem::path state;
  std::unique_ptr<Journal> journal;  // null: the supervisor's
  std::optional<Watchdog> watchdog;

  /// All has ended well: what was in flight is nobody's business.
  ~Watch() {
    watchdog.reset();
    std::error_code ignored;
    if (journal) std::filesystem::remove(journal_file(state), ignored);
  }
};

/// What a process without a supervisor has left.
void settle_journal(const std::filesystem::path& state, Logger& logger) {
  const auto left = unsettled_crash(state);
  if (!left) {
    logger.warn("supervise", "{}", left.error().message);
  } else if (*left) {
    logger.warn("supervise", "the last run: {} (`weir crashes {}`)", headline(**left),
                (*left)->id());
    if (auto written = write_crash_report(state, **left); !written) {
      logger.error("supervise", "{}", written.error().message);
    }
  }
  std::error_code ignored;
  std::filesystem::remove(journal_file(state), ignored);
}

/// From here on a crash is known to whoever comes after it.
std::function<Result<Journal*>(const std::filesystem::path&)> journal_opener(
    const config::v1::Watchdog& settings, const Place& place, Watch& watch, Logger& logger) {
  return [&](const std::filesystem::path& state) -> Result<Journal*> {
    settle_journal(state, logger);
    watch.state = std::filesystem::absolute(state);
    Journal* journal = place.journal;
    if (journal == nullptr) {
      WEIR_TRY(watch.journal, Journal::make_file(journal_file(state)));
      journal = watch.journal.get();
    } else {
      WorkerPage::Answers answers = place.page->answers();
      answers.state = watch.state.string();
      place.page->set_answers(answers);
    }
    install_crash_handler(*journal);
    watch.watchdog.emplace(
        Watchdog::Options{.soft_ms = settings.soft(), .hard_ms = settings.hard()}, *journal,
        logger);
    return journal;
  };
}

/// What tests and the supervisor do at named steps of the path; empty: nothing.
std::function<void(std::string_view)> at_steps(const std::string& kill_at, const Place& place) {
  auto kill = killer(kill_at);
  if (place.page == nullptr) return kill;
  return [kill, page = place.page](std::string_view step) {
    if (kill) kill(step);
    if (step == "commit") page->count_commit();
  };
}

/// Every task has an LMDB environment and every reader a descriptor; the soft limit is often 1,024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void log_summary(Logger& logger, const Counters& counters) {
  std::string aside;
  for (std::size_t i = 0; i < counters.set_aside.size(); ++i) {
    if (counters.set_aside[i] == 0) continue;
    aside += fmt::format(", {} {}", counters.set_aside[i], name_of(static_cast<SetAside>(i)));
  }
  const std::string fired =
      counters.fired == 0 ? "" : counted(counters.fired, "timer") + " fired, ";
  logger.info("app", "{}, {} resolved, {} skipped, {}{}, {}{}", counted(counters.records, "record"),
              counters.resolved, counters.skipped, fired, counted(counters.features, "feature"),
              counted(counters.commits, "commit"), aside);
}

/// Nobody waits for them, so that nobody believes they have fired.
void log_pending_timers(Logger& logger, App& app) {
  std::uint64_t pending = 0;
  for (Task* task : app.tasks()) {
    if (const auto count = task->pending_timers()) pending += *count;
  }
  if (pending == 0) return;
  logger.info("app", "{} timer{} pending: {} when this app runs and {} time has come", pending,
              pending == 1 ? " is" : "s are", pending == 1 ? "it fires" : "they fire",
              pending == 1 ? "its" : "their");
}

/// A restart goes on with the builds that were trusted; an operator's start takes those of the
/// YAML.
Result<std::vector<std::filesystem::path>> promoted_files(const Config& config, Logger& logger) {
  WEIR_TRY(const Generations generations,
           Generations::open(config.resolve_path(config.app().state().path())));
  std::vector<std::filesystem::path> files;
  for (const std::string& plugin : config.app().plugins()) {
    const std::filesystem::path file = config.resolve_path(plugin);
    const auto copy = generations.promoted_copy(file);
    if (!copy) logger.warn("reload", "no copy of {} is kept; its file is loaded", file.string());
    files.push_back(copy.value_or(file));
  }
  return files;
}

Result<std::unique_ptr<Control>> start_control(App& app, const config::v1::App& config,
                                               const Place& place,
                                               std::function<void(std::string_view)> after_step,
                                               Logger& logger) {
  const config::v1::Reload& limits = config.reload();
  WEIR_TRY(Reloader* const reloader,
           app.open_reloader(
               {.state = {},
                .restarted = place.restarts > 0,
                .probation = {.time_ms = limits.probation(),
                              .records = limits.records(),
                              .rejects_percent_max = static_cast<double>(limits.rejects_percent()),
                              .latency_us_max = limits.latency() * 1000},
                .probe_command = {"/proc/self/exe", std::string(probe_child_word)},
                .turn_tasks = {},
                .after_step = std::move(after_step)}));
  const auto tasks = [&app] { return app.running_tasks(); };
  return Control::start(*reloader, tasks, app.state_path(), logger);
}

/// No thread can be taken out of a call into the log that does not come back. The next process goes
/// on at the last commit.
void end_if_log_hangs(const App& app, Clock& clock, Logger& logger, std::int64_t ms_max) {
  const auto since_ms = app.log_call_since_ms();
  if (!since_ms || clock.steady_ms() - *since_ms < ms_max) return;
  logger.error("app",
               "a call into the log has not come back for {} ms (watchdog.log): this process ends, "
               "and the next one goes on where the last commit was",
               ms_max);
  std::_Exit(static_cast<int>(ExitCode::temporary));
}

/// Until everything is done or a stop was asked for and finished. False: the deadline passed.
bool wait_for_end(App& app, Control& control, std::optional<PluginWatch>& files, StopSignal& stop,
                  Clock& clock, Logger& logger, ProgressDisplay& display,
                  std::int64_t shutdown_deadline_ms, std::int64_t log_call_ms_max) {
  while (!app.is_done() && !stop.wait(tick)) {
    end_if_log_hangs(app, clock, logger, log_call_ms_max);
    display.update(app.progress());
    const bool replaced = files && files->has_changed(clock.steady_ms());
    if (stop.take_hangup() || replaced) control.reload_changed();
  }
  display.clear();
  if (!app.is_done()) {
    logger.info("app",
                "stopping: what is being handled is committed first (at most {} ms; a second "
                "signal ends it at once)",
                shutdown_deadline_ms);
    app.request_stop();
    const std::int64_t deadline_ms = clock.steady_ms() + shutdown_deadline_ms;
    while (!app.is_done() && clock.steady_ms() < deadline_ms) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  return app.is_done();
}

/// Ends the process when a stop is asked for before there is anything to stop: a log that does not
/// answer can hold a start up for long. What was made so far is as after a crash.
class StopWhileStarting {
 public:
  StopWhileStarting(StopSignal& stop, const Place& place, Logger& logger)
      : thread_([this, &stop, &place, &logger] {
          while (!is_over_) {
            if (!stop.wait(std::chrono::milliseconds(10))) continue;
            logger.info("app", "stopped while it was starting");
            place.set_stage(WorkerPage::Stage::ended);
            std::_Exit(static_cast<int>(ExitCode::ok));
          }
        }) {}
  ~StopWhileStarting() {
    is_over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

/// All of the work, in this process.
ExitCode work(const RunOptions& options, const Place& place) {
  StopSignal stop;  // before any thread
  const SignalStack signal_stack;
  raise_descriptor_limit();
  SystemClock clock;
  Logger logger(to_format(options.log_format), to_level(options.log_level));

  auto config = Config::load(options.config);
  if (!config) return fail(config.error());
  for (const Finding& warning : config->warnings()) {
    logger.warn("config", "{}", config->render({warning}));
  }
  Watch watch;
  const auto open = [&]() -> Result<std::unique_ptr<App>> {
    const StopWhileStarting stopping(stop, place, logger);
    std::vector<std::filesystem::path> files;
    if (place.restarts > 0) {
      WEIR_TRY(files, promoted_files(*config, logger));
    }
    return App::open(
        *config,
        {.plugin_files = std::move(files),
         .named_pid = place.pid,
         .until_end = options.until_end,
         .open_journal = journal_opener(config->app().watchdog(), place, watch, logger),
         .slow_calls =
             [&watch] {
               return watch.watchdog ? watch.watchdog->slow_calls()
                                     : std::map<std::string, std::uint64_t>();
             },
         .start_admin = admin_starter(config->app(), place, clock, logger),
         .after_step = at_steps(options.kill_at, place)},
        clock, logger);
  };
  auto app = open();
  if (!app) return fail(app.error());
  logger.info("app", "app {}: {}, State in {}", config->app().app(),
              counted((*app)->tasks().size(), "task"), (*app)->state_path().string());

  auto control =
      start_control(**app, config->app(), place, at_steps(options.kill_at, place), logger);
  if (!control) return fail(control.error());
  std::optional<PluginWatch> files;
  if (config->app().reload().watch()) {
    auto watched = PluginWatch::open(plugin_files(*config));
    if (!watched) return fail(watched.error());
    files.emplace(*std::move(watched));
  }
  ProgressDisplay display(clock, options.until_end, !options.no_progress);
  (*app)->start();
  place.set_stage(WorkerPage::Stage::running);
  if (!wait_for_end(**app, **control, files, stop, clock, logger, display,
                    config->app().shutdown_deadline(), config->app().watchdog().log())) {
    logger.error("app", "the deadline of {} ms has passed; what is not committed comes again",
                 config->app().shutdown_deadline());
    place.set_stage(WorkerPage::Stage::ended);
    std::_Exit(static_cast<int>(ExitCode::temporary));
  }
  control->reset();  // nobody waits for what it was asked for
  (*app)->join();
  place.set_stage(WorkerPage::Stage::finishing);

  const Worker::Progress end = (*app)->progress();
  log_summary(logger, end.counters);
  log_pending_timers(logger, **app);
  if (end.halted == 0) return ExitCode::ok;
  const bool all = end.halted == (*app)->tasks().size();
  logger.error("app", "{} of {} halted", end.halted, counted((*app)->tasks().size(), "task"));
  return all || options.until_end ? ExitCode::all_halted : ExitCode::ok;
}

/// The worker process, which the supervisor has started as this one.
ExitCode work_supervised(const RunOptions& options) {
  ::prctl(PR_SET_NAME, "weir");  // exec() named it after a link
  auto page = WorkerPage::inherit(options.worker);
  if (!page) return fail(page.error());
  const auto journal = Journal::inherit(options.journal);
  if (!journal) return fail(journal.error());
  const ExitCode code = work(options, {.page = &*page,
                                       .journal = journal->get(),
                                       .pid = ::getppid(),
                                       .restarts = options.restarts});
  page->set_stage(WorkerPage::Stage::ended);
  return code;
}

ExitCode supervise(const RunOptions& options) {
  std::vector<std::string> command{
      "run",         "--config",       options.config.string(), "--log-format", options.log_format,
      "--log-level", options.log_level};
  if (options.until_end) command.emplace_back("--until-end");
  if (options.no_progress) command.emplace_back("--no-progress");
  std::vector<std::string> first;
  if (!options.kill_at.empty()) first = {"--kill-at", options.kill_at};
  SystemClock clock;
  Logger logger(to_format(options.log_format), to_level(options.log_level));
  Supervisor supervisor({.command = std::move(command),
                         .first = std::move(first),
                         .version = WEIR_VERSION,
                         .crashed_code = static_cast<int>(ExitCode::internal),
                         .unended_code = static_cast<int>(ExitCode::temporary)},
                        clock, logger);
  return static_cast<ExitCode>(supervisor.run());
}

}  // namespace

ExitCode command_run(const RunOptions& options) {
  if (options.worker >= 0) return work_supervised(options);
  if (options.no_supervisor) return work(options, {.pid = ::getpid()});
  return supervise(options);
}

}  // namespace weir::host
