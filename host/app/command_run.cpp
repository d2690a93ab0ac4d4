#include "app/command_run.hpp"

#include <atomic>
#include <cstdlib>
#include <thread>

#include <sys/resource.h>
#include <unistd.h>

#include "admin/admin.hpp"
#include "app/app.hpp"
#include "app/kill_at.hpp"
#include "app/output.hpp"
#include "app/progress.hpp"
#include "app/stop_signal.hpp"
#include "base/counted.hpp"
#include "config/config.hpp"

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

/// Listens where the YAML says.
std::function<Result<std::shared_ptr<void>>(HostView&, Log&, const std::filesystem::path&)>
admin_starter(const config::v1::Admin& admin, Clock& clock, Logger& logger) {
  return [&](HostView& view, Log& log,
             const std::filesystem::path& state) -> Result<std::shared_ptr<void>> {
    WEIR_TRY(ListenAddress listen, parse_listen_address(admin.listen()));
    if (listen.kind == ListenAddress::Kind::off) return std::shared_ptr<void>();
    WEIR_TRY(auto started, Admin::start({.listen = std::move(listen),
                                         .allow_remote = admin.allow_remote(),
                                         .stuck_after_ms = admin.stuck_after(),
                                         .state = state},
                                        {view, log, clock, logger}));
    return std::shared_ptr<void>(std::move(started));
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

/// Until everything is done or a stop was asked for and finished. False: the deadline passed.
bool wait_for_end(App& app, StopSignal& stop, Clock& clock, Logger& logger,
                  ProgressDisplay& display, std::int64_t shutdown_deadline_ms) {
  while (!app.is_done() && !stop.wait(tick)) display.update(app.progress());
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
  StopWhileStarting(StopSignal& stop, Logger& logger)
      : thread_([this, &stop, &logger] {
          while (!is_over_) {
            if (!stop.wait(std::chrono::milliseconds(10))) continue;
            logger.info("app", "stopped while it was starting");
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

}  // namespace

ExitCode command_run(const RunOptions& options) {
  StopSignal stop;  // before any thread
  raise_descriptor_limit();
  SystemClock clock;
  Logger logger(to_format(options.log_format), to_level(options.log_level));

  auto config = Config::load(options.config);
  if (!config) return fail(config.error());
  for (const Finding& warning : config->warnings()) {
    logger.warn("config", "{}", config->render({warning}));
  }
  const auto open = [&] {
    const StopWhileStarting watch(stop, logger);
    return App::open(*config,
                     {.until_end = options.until_end,
                      .start_admin = admin_starter(config->app().admin(), clock, logger),
                      .after_step = killer(options.kill_at)},
                     clock, logger);
  };
  auto app = open();
  if (!app) return fail(app.error());
  logger.info("app", "app {}: {}, State in {}", config->app().app(),
              counted((*app)->tasks().size(), "task"), (*app)->state_path().string());

  ProgressDisplay display(clock, options.until_end, !options.no_progress);
  (*app)->start();
  if (!wait_for_end(**app, stop, clock, logger, display, config->app().shutdown_deadline())) {
    logger.error("app", "the deadline of {} ms has passed; what is not committed comes again",
                 config->app().shutdown_deadline());
    std::_Exit(static_cast<int>(ExitCode::temporary));
  }
  (*app)->join();

  const Worker::Progress end = (*app)->progress();
  log_summary(logger, end.counters);
  log_pending_timers(logger, **app);
  if (end.halted == 0) return ExitCode::ok;
  const bool all = end.halted == (*app)->tasks().size();
  logger.error("app", "{} of {} halted", end.halted, counted((*app)->tasks().size(), "task"));
  return all || options.until_end ? ExitCode::all_halted : ExitCode::ok;
}

}  // namespace weir::host
