#include "app/command_reset.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "app/app_log.hpp"
#include "app/app_parts.hpp"
#include "app/kill_at.hpp"
#include "app/reset_plan.hpp"
#include "app/reset_table.hpp"
#include "commit/state_directory.hpp"
#include "task/retry_log.hpp"

namespace weir::host {
namespace {

std::string quoted(const std::string& word) {
  const bool is_plain = word.find_first_not_of(
                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "0123456789-_./:+") == std::string::npos;
  if (is_plain) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

class Reset {
 public:
  explicit Reset(const ResetOptions& options)
      : options_(options),
        logger_(Logger::format_for_stderr(), LogLevel::warn),
        step_(killer(options.kill_at)) {}

  Result<void> run() {
    WEIR_CHECK(read_request());
    WEIR_TRY(config_, Config::load(options_.config));
    state_ = config_->resolve_path(config_->app().state().path());
    WEIR_CHECK(lock());
    WEIR_CHECK(open());
    WEIR_TRY(ResetPlan plan, plan_reset(*config_, request_, state_, *log_, retries_.get(), step_));
    print_reset(plan, request_.drop, options_.format);
    say_consequences(plan, request_);
    if (options_.dry_run) {
      say("nothing was changed (--dry-run)");
      return {};
    }
    if (!plan.is_needed() && !unfinished_) {
      say("nothing to do: the tasks stand there already");
      return {};
    }
    WEIR_CHECK(apply(plan));
    say("done; the next `weir run` goes on there");
    return {};
  }

 private:
  Result<void> read_request() {
    if (options_.state.empty()) {
      return error(
          Errc::usage,
          "say what becomes of the State:\n"
          "  --state drop  it is deleted with its timers and parked records, and made anew from\n"
          "                what is read from then on; with --to earliest it is what it would have\n"
          "                been\n"
          "  --state keep  it stays as it is; records that are read again are applied to it\n"
          "                a second time, those that are skipped never");
    }
    if (options_.to.empty()) {
      return error(Errc::usage,
                   "say where to go on: --to earliest, latest, current, an offset or a time");
    }
    request_.drop = options_.state == "drop";
    request_.source = options_.source;
    request_.topic = options_.topic;
    request_.partition = options_.partition;
    WEIR_TRY(request_.target, ResetTarget::parse(options_.to));
    return {};
  }

  Result<void> lock() {
    if (const auto holder = StateDirectory::holder(state_)) {
      return error(
          Errc::refused,
          "{} has the state directory {} open; stop it first: a reset changes where a host "
          "goes on when it starts",
          *holder, state_.string());
    }
    std::error_code ignored;
    if (options_.dry_run && !std::filesystem::exists(state_, ignored)) return {};
    std::vector<std::string> warnings;
    WEIR_TRY(directory_, StateDirectory::lock(state_, config_->app().app(), warnings));
    for (const std::string& warning : warnings) say("{}", warning);
    WEIR_TRY(unfinished_, directory_->unfinished_reset());
    const bool is_whole = request_.source.empty() && request_.topic.empty() && !request_.partition;
    if (!unfinished_ || is_whole || *unfinished_ == command()) return {};
    return error(Errc::refused,
                 "another reset was interrupted; run it again, to its end, or one of all tasks "
                 "(without --source, --topic and --partition): {}",
                 *unfinished_);
  }

  Result<void> open() {
    std::error_code ignored;
    const bool is_embedded = !config_->app().log().has_kafka();
    const std::filesystem::path log = is_embedded ? config_->log_directory(state_) : "";
    if (is_embedded && !std::filesystem::exists(log, ignored)) {
      return error(
          Errc::not_found,
          "there is no log in {}, so there is nothing to go on in; `weir produce` and `weir "
          "run` make one",
          log.string());
    }
    WEIR_TRY(log_, open_app_log(*config_, state_, &logger_));
    if (std::filesystem::exists(state_ / "retries", ignored)) {
      WEIR_TRY(retries_, open_retry_log(state_));
    }
    return {};
  }

  /// The store first, then the log's mark, task by task, between two changes of the directory that
  /// keep a host from starting.
  Result<void> apply(ResetPlan& plan) {
    WEIR_CHECK(directory_->begin_reset(command()));
    step("begin");
    const std::string& app = config_->app().app();
    WEIR_CHECK(join(app, plan.topics));
    WEIR_TRY(
        const auto publisher,
        Publisher::open(
            *log_,
            {.group = app, .id = "0", .own_thread = false, .clock = nullptr, .after_step = step_}));
    WEIR_TRY(const AppSinks sinks, AppSinks::open(*config_, *log_, logger_));
    for (TaskMove& move : plan.moves) {
      if (!move.is_needed) continue;
      const StoppedTask::Options& task = move.task->options();
      WEIR_TRY(TaskSinks own, sinks.open_for(*config_, task.name, task.input.partition,
                                             plan.task_count, stdout_mutex_));
      WEIR_CHECK(move.task->move_to(move.to, request_.drop, *publisher, own));
    }
    for (const GoneTask& gone : plan.gone) {
      std::error_code code;
      std::filesystem::remove_all(gone.directory, code);
      if (code) {
        return error(Errc::io, "cannot remove {}: {}", gone.directory.string(), code.message());
      }
    }
    step("end");
    return directory_->end_reset();
  }

  Result<void> join(const std::string& app, const std::vector<std::string>& topics) {
    Membership membership{.group = app, .host = directory_->identity(), .topics = topics};
    // A reset has one producer; the last run may have had more.
    for (std::uint32_t id = 1; id < directory_->workers(); ++id) {
      membership.former_producers.push_back(std::to_string(id));
    }
    return log_->join(membership);
  }

  void step(std::string_view name) const {
    if (step_) step_(name);
  }

  /// As one would type it.
  std::string command() const {
    std::string out = fmt::format("weir reset {} --to {} --state {}",
                                  quoted(options_.config.string()), options_.to, options_.state);
    if (!options_.source.empty()) out += " --source " + options_.source;
    if (!options_.topic.empty()) out += " --topic " + options_.topic;
    if (options_.partition) out += fmt::format(" --partition {}", *options_.partition);
    return out;
  }

  const ResetOptions& options_;
  Logger logger_;
  std::function<void(std::string_view)> step_;
  ResetRequest request_;
  std::optional<Config> config_;
  std::filesystem::path state_;
  std::unique_ptr<StateDirectory> directory_;
  std::optional<std::string> unfinished_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Log> retries_;
  std::mutex stdout_mutex_;
};

}  // namespace

ExitCode command_reset(const ResetOptions& options) {
  Reset reset(options);
  const Result<void> done = reset.run();
  return done ? ExitCode::ok : fail(done.error());
}

}  // namespace weir::host
