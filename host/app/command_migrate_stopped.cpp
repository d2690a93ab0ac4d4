// `weir plugin migrate` where no host runs: what the tasks of one would do, done here. A plugin may
// crash at any State, so a child process does it; the journal that both share tells at which.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fmt/ranges.h>

#include "app/app.hpp"
#include "app/app_builds.hpp"
#include "app/command_migrate.hpp"
#include "app/kill_at.hpp"
#include "base/signal_stack.hpp"
#include "commit/state_directory.hpp"
#include "commit/state_reader.hpp"
#include "config/config.hpp"
#include "supervise/crash_handler.hpp"
#include "supervise/crash_report.hpp"
#include "supervise/journal.hpp"
#include "supervise/worker_page.hpp"
#include "supervise/worker_process.hpp"
#include "task/stopped_walk.hpp"

namespace weir::host {
namespace {

/// The child's part.
class StoppedMigration {
 public:
  StoppedMigration(const Config& config, const ReloadOptions& options, std::filesystem::path state,
                   Journal& journal)
      : config_(config), options_(options), state_(std::move(state)), journal_(journal) {}

  Result<Migration::Progress> run() {
    std::vector<std::filesystem::path> files = plugin_files(config_);
    WEIR_CHECK(check_plugins(config_, files));
    std::vector<std::string> warnings;
    WEIR_TRY(directory_, StateDirectory::lock(state_, config_.app().app(), warnings));
    for (const std::string& warning : warnings) say("{}", warning);
    WEIR_CHECK(check_no_reset(*directory_));
    WEIR_CHECK(stage_pinned(config_, state_, files));
    WEIR_CHECK(load(files));
    Migration::Progress sum;
    sum.plugin = plugin_->manifest().plugin;
    sum.version = plugin_->manifest().version;
    for (const std::string& task : tasks()) {
      WEIR_TRY(const StoppedWalk walk, walk_of(task));
      if (walk.resolvers.empty()) continue;
      add(sum, task, walk_stopped(walk));
    }
    return sum;
  }

 private:
  /// The plugin that was asked for, as a start would load it.
  Result<void> load(const std::vector<std::filesystem::path>& files) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < files.size(); ++i) {
      WEIR_TRY(const PluginFile file, read_plugin_file(files[i]));
      names.push_back(file.manifest.plugin);
      const bool is_it =
          options_.plugin.empty() ? files.size() == 1 : options_.plugin == file.manifest.plugin;
      if (!is_it) continue;
      // Its own name, also where the file is a copy that is called otherwise.
      const std::filesystem::path named = config_.app().plugins(static_cast<int>(i));
      WEIR_TRY(plugin_, load_plugin(files[i], named.stem().string(), state_ / "plugins", logger_,
                                    &journal_));
      return {};
    }
    if (options_.plugin.empty()) {
      return error(Errc::not_found, "the app has several plugins; name one of {}",
                   fmt::join(names, ", "));
    }
    return error(Errc::not_found, "the app has no plugin {}; it has {}", options_.plugin,
                 fmt::join(names, ", "));
  }

  /// Those that have a store.
  std::vector<std::string> tasks() const {
    std::vector<std::string> names;
    std::error_code code;
    for (std::filesystem::directory_iterator at(StateDirectory::tasks_in(state_), code), end;
         !code && at != end; at.increment(code)) {
      std::error_code ignored;
      if (!std::filesystem::exists(at->path() / "data.mdb", ignored)) continue;
      names.push_back(at->path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  }

  Result<StoppedWalk> walk_of(const std::string& task) {
    const config::v1::App& app = config_.app();
    StoppedWalk walk;
    walk.task = task;
    walk.store = store_options(app, state_, task);
    walk.live = {.count = app.state().live().count(), .bytes = app.state().live().bytes()};
    walk.after_step = after_step_;
    for (const std::string& name : sorted_names(app.resolvers())) {
      const config::v1::Resolver& resolver = app.resolvers().at(name);
      const Use use = split_use(resolver.use());
      if (use.plugin != plugin_->manifest().plugin) continue;
      if (task != task_name(resolver.from(), partition_of_task(task))) continue;
      const Manifest::Resolver* const offer = plugin_->manifest().find(use.resolver);
      if (offer == nullptr) {
        return error(Errc::refused, "the file of plugin {} was replaced just now; ask again",
                     use.plugin);
      }
      StoppedWalk::Resolver one;
      one.schema = {name,
                    resolver.renamed_from(),
                    resolver.use(),
                    plugin_->manifest().version,
                    offer->state_type.empty() ? nullptr : plugin_->message(offer->state_type),
                    offer->state_version,
                    offer->state_readable_by,
                    offer->timers};
      one.resolver = use.resolver;
      WEIR_TRY(one.settings, settings_of(config_, name, *plugin_));
      one.plugin = plugin_;
      one.journal_number = journal_.add_resolver(name);
      walk.resolvers.push_back(std::move(one));
    }
    if (walk.resolvers.empty()) return walk;
    walk.journal = journal_.add_task(task, "", partition_of_task(task));
    walk.control_journal = &journal_.control();
    return walk;
  }

  static void add(Migration::Progress& sum, const std::string& task,
                  const StateWalk::Progress& walk) {
    ++sum.tasks;
    ++sum.tasks_done;
    sum.visited += walk.visited;
    sum.migrated += walk.migrated;
    sum.failed += walk.failed;
    for (const std::string& failure : walk.failures) {
      if (sum.failures.size() < StateWalk::failures_max) sum.failures.push_back(failure);
    }
    if (walk.gave_up) {
      sum.gave_up.push_back(fmt::format("task {}: {}", task, walk.gave_up->message));
    }
  }

  const Config& config_;
  const ReloadOptions& options_;
  std::filesystem::path state_;
  Journal& journal_;
  std::function<void(std::string_view)> after_step_ = killer(options_.kill_at);
  Logger logger_{Logger::format_for_stderr(), LogLevel::warn};
  std::unique_ptr<StateDirectory> directory_;
  std::shared_ptr<Plugin> plugin_;
};

ExitCode migrate_here(const Config& config, const ReloadOptions& options,
                      const std::filesystem::path& state, Journal& journal) {
  install_crash_handler(journal);
  const SignalStack signal_stack;
  const auto done = StoppedMigration(config, options, state, journal).run();
  return done ? tell(*done, options.format) : fail(done.error());
}

/// Does `work` in a process that ends with this one; where that ends by itself, `page` says so.
Result<ProcessEnd> in_child(WorkerPage& page, const std::function<ExitCode()>& work) {
  flush_data();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return error(Errc::io, "cannot start a process: {}", std::strerror(errno));
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) std::_Exit(0);
    const ExitCode code = work();
    flush_data();
    page.set_stage(WorkerPage::Stage::ended);
    std::_Exit(static_cast<int>(code));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return error(Errc::io, "waitpid: {}", std::strerror(errno));
  }
  return ProcessEnd::from_wait(status);
}

}  // namespace

Result<ExitCode> migrate_stopped(const ReloadOptions& options, const std::filesystem::path& state) {
  if (options.config.empty()) {
    return error(Errc::usage,
                 "no host runs in {}, so the app's YAML says what migrates: -c app.yaml",
                 state.string());
  }
  WEIR_TRY(const auto config, Config::load(options.config));
  {
    WEIR_TRY(const auto reader, StateReader::open(state));  // before anything is made there
  }
  WEIR_TRY(const auto journal, Journal::make_shared_memory());
  WEIR_TRY(WorkerPage page, WorkerPage::make());
  page.begin_worker();
  const auto work = [&] { return migrate_here(config, options, state, *journal); };
  WEIR_TRY(const ProcessEnd end, in_child(page, work));
  if (end.code && page.stage() == WorkerPage::Stage::ended) {
    return static_cast<ExitCode>(*end.code);
  }
  const auto report = read_crash(*journal, &end);
  say("the process that migrates {}{}; what it has stored stays, and the rest is as it was: ask "
      "again, after a crash with a build that is mended",
      end.text(), report ? ": " + headline(*report) : "");
  return ExitCode::failed;
}

}  // namespace weir::host
