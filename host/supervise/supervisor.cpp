#include "supervise/supervisor.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "supervise/crash_report.hpp"

namespace weir::host {

namespace {

/// A worker that crashes so often before the app has run for the first time will not run.
constexpr int failed_starts_max = 3;

timespec to_timespec(std::chrono::milliseconds time) {
  return {time.count() / 1000, (time.count() % 1000) * 1'000'000};
}

}  // namespace

Supervisor::Supervisor(Options options, Clock& clock, Logger& logger)
    : options_(std::move(options)), clock_(clock), logger_(logger) {
  sigemptyset(&handled_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCHLD}) {
    sigaddset(&handled_, signal);
  }
  // Ignored, as some parents leave it, nobody could wait for the worker.
  std::signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_BLOCK, &handled_, &worker_mask_);
  // Those that the worker is sent stay blocked in it until it looks for them.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&worker_mask_, signal);
}

int Supervisor::run() {
  auto page = WorkerPage::make();
  if (!page) {
    logger_.error("supervise", "{}", page.error().message);
    return options_.crashed_code;
  }
  page_.emplace(*std::move(page));
  auto journal = Journal::make_shared_memory();
  if (!journal) {
    logger_.error("supervise", "{}", journal.error().message);
    return options_.crashed_code;
  }
  journal_ = *std::move(journal);
  while (true) {
    if (auto started = start(); !started) {
      logger_.error("supervise", "{}", started.error().message);
      if (!has_run_) return options_.crashed_code;
      wait(back_off_.after_end(false), started.error().message);
    } else {
      const ProcessEnd end = wait_for_worker();
      has_run_ |= page_->has_run();
      if (judge(end) == After::end) return code_;
    }
    if (stopping_) return code_;
    ++restarts_;
  }
}

Result<void> Supervisor::start() {
  std::vector<std::string> arguments = options_.command;
  if (restarts_ == 0) {
    arguments.insert(arguments.end(), options_.first.begin(), options_.first.end());
  }
  arguments.insert(arguments.end(),
                   {"--worker", std::to_string(page_->fd()), "--journal",
                    std::to_string(journal_->fd()), "--restarts", std::to_string(restarts_)});
  page_->begin_worker();
  journal_->clear();
  WEIR_TRY(worker_, start_worker(arguments, {page_->fd(), journal_->fd()}, worker_mask_));
  return {};
}

ProcessEnd Supervisor::wait_for_worker() {
  while (true) {
    handle(next_signal(nullptr));
    int status = 0;
    if (::waitpid(worker_, &status, WNOHANG) != worker_) continue;
    worker_ = -1;
    return ProcessEnd::from_wait(status);
  }
}

int Supervisor::next_signal(const std::chrono::milliseconds* timeout) {
  timespec limit{};
  if (timeout != nullptr) limit = to_timespec(*timeout);
  const int got = timeout == nullptr ? ::sigwaitinfo(&handled_, nullptr)
                                     : ::sigtimedwait(&handled_, nullptr, &limit);
  return got < 0 ? 0 : got;
}

void Supervisor::handle(int signal) {
  switch (signal) {
    case SIGTERM:
    case SIGINT:
      stopping_ = true;
      [[fallthrough]];
    case SIGHUP:
      if (worker_ > 0) ::kill(worker_, signal);
      break;
    case SIGTSTP:  // ^Z: the worker is not of the terminal's process group
      if (worker_ > 0) ::kill(worker_, SIGSTOP);
      ::raise(SIGSTOP);
      if (worker_ > 0) ::kill(worker_, SIGCONT);
      break;
    default:
      break;
  }
}

std::string Supervisor::settle(const ProcessEnd& end) {
  std::string what = fmt::format("the worker process {}", end.text());
  if (end.code && page_->stage() == WorkerPage::Stage::ended) return what;
  const auto report = read_crash(*journal_, &end);
  const std::string state = page_->answers().state;
  if (!report || state.empty()) return what;
  if (auto written = write_crash_report(state, *report); !written) {
    logger_.error("supervise", "the report of a crash is lost: {}", written.error().message);
  }
  return fmt::format("{}: {}{} (`weir crashes {}`)", what, headline(*report),
                     report->counted() ? "" : ", which is not counted: " + report->verdict(),
                     report->id());
}

Supervisor::After Supervisor::judge_stopped(const ProcessEnd& end) {
  if (end.code && page_->stage() == WorkerPage::Stage::ended) {
    code_ = *end.code;
  } else if (end.signal == SIGTERM || end.signal == SIGINT) {
    // The second signal. Whoever waits for this process sees what ended it.
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, end.signal);
    std::signal(end.signal, SIG_DFL);
    ::raise(end.signal);
    sigprocmask(SIG_UNBLOCK, &one, nullptr);
  } else {
    logger_.error("supervise",
                  "{}; it was stopping, and what is not committed comes again at the next start",
                  settle(end));
    code_ = options_.unended_code;
  }
  return After::end;
}

Supervisor::After Supervisor::judge(const ProcessEnd& end) {
  if (stopping_) return judge_stopped(end);
  const WorkerPage::Stage stage = page_->stage();
  const bool by_decision = end.code && stage == WorkerPage::Stage::ended;
  if (by_decision && (!has_run_ || page_->has_run())) {
    code_ = *end.code;
    return After::end;
  }
  const std::string why = settle(end);
  if (stage == WorkerPage::Stage::finishing) {
    logger_.error("supervise", "{}; all of its work was done", why);
    code_ = options_.crashed_code;
    return After::end;
  }
  if (!has_run_ && ++failed_starts_ == failed_starts_max) {
    logger_.error(
        "supervise",
        "{}; no start has come to its end in {} tries, so a plugin that crashes when it is "
        "loaded or made has to be replaced",
        why, failed_starts_max);
    code_ = options_.crashed_code;
    return After::end;
  }
  const auto delay = back_off_.after_end(page_->commits() > 0);
  if (delay.count() == 0) {
    logger_.error("supervise", "{}; the next one starts now", why);
  } else {
    logger_.error("supervise", "{}; the next one starts in {} ms", why, delay.count());
    wait(delay, why);
  }
  return stopping_ ? After::end : After::again;
}

void Supervisor::wait(std::chrono::milliseconds delay, const std::string& why) {
  const WorkerPage::Answers answers = page_->answers();
  const auto admin = DownAdmin::start({.app = answers.app,
                                       .version = options_.version,
                                       .state = answers.state,
                                       .listen = answers.listen,
                                       .allow_remote = answers.allow_remote,
                                       .why = why,
                                       .restarts = restarts_,
                                       .next_start_ms = clock_.steady_ms() + delay.count()},
                                      clock_, logger_);
  if (!admin) logger_.warn("supervise", "{}", admin.error().message);
  const std::int64_t until_ms = clock_.steady_ms() + delay.count();
  while (!stopping_) {
    const std::chrono::milliseconds left(until_ms - clock_.steady_ms());
    if (left.count() <= 0) return;
    handle(next_signal(&left));
  }
  logger_.info("supervise", "stopped while no worker process was running");
}

}  // namespace weir::host
