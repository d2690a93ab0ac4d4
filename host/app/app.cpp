#include "app/app.hpp"

#include <algorithm>
#include <map>

#include "app/app_builds.hpp"
#include "app/app_log.hpp"
#include "app/app_schemas.hpp"
#include "config/values.hpp"
#include "reload/stage.hpp"
#include "supervise/suspects.hpp"

namespace weir::host {

namespace {

std::shared_ptr<Plugin> find_plugin(std::span<const std::shared_ptr<Plugin>> plugins,
                                    std::string_view name) {
  for (const auto& plugin : plugins) {
    if (plugin->manifest().plugin == name) return plugin;
  }
  return nullptr;
}

Policy to_policy(config::v1::Policy policy) {
  switch (policy) {
    case config::v1::DROP:
      return Policy::drop;
    case config::v1::HALT:
      return Policy::halt;
    default:
      return Policy::dead_letter;
  }
}

Policy to_policy(config::v1::Source::Crashed policy) {
  switch (policy) {
    case config::v1::Source::DROP:
      return Policy::drop;
    case config::v1::Source::HALT:
      return Policy::halt;
    default:
      return Policy::dead_letter;
  }
}

Result<StartPosition> to_start(const std::string& start) {
  if (start == "latest") return StartPosition{StartPosition::Kind::latest, 0};
  if (start == "earliest") return StartPosition{};
  WEIR_TRY(const std::int64_t time_ms, parse_time_ms(start));
  return StartPosition{StartPosition::Kind::time, time_ms};
}

template <typename Value>
const Value& value_of(const std::vector<std::pair<std::string, Value>>& pairs,
                      std::string_view name) {
  return std::find_if(pairs.begin(), pairs.end(),
                      [&](const auto& pair) { return pair.first == name; })
      ->second;
}

}  // namespace

std::vector<std::filesystem::path> plugin_files(const Config& config) {
  std::vector<std::filesystem::path> files;
  for (const std::string& file : config.app().plugins()) files.push_back(config.resolve_path(file));
  return files;
}

Result<void> check_plugins(const Config& config) {
  return check_plugins(config, plugin_files(config));
}

Result<void> check_plugins(const Config& config, const std::vector<std::filesystem::path>& files) {
  std::vector<Finding> findings;
  AppSchemas::read(config, files, findings).check(config, findings);
  std::erase_if(findings, [](const Finding& finding) {
    return finding.severity == Finding::Severity::warning;
  });
  if (findings.empty()) return {};
  return error(Errc::config, "{}", config.render(findings));
}

Result<void> stage_pinned(const Config& config, const std::filesystem::path& state,
                          std::vector<std::filesystem::path>& files) {
  const auto& pins = config.app().pins();
  if (pins.empty()) return {};
  for (std::filesystem::path& path : files) {
    WEIR_TRY(const PluginFile file, read_plugin_file(path));
    const auto pin = pins.find(file.manifest.plugin);
    if (pin == pins.end()) continue;
    const auto staged = stage_plugin(path, pin->second, state / "plugins" / "builds");
    if (const auto* refusal = std::get_if<Refusal>(&staged)) {
      return error(Errc::refused, "plugin {}: refused at the step {} ({}): {}", pin->first,
                   name_of(refusal->step), name_of(refusal->code), refusal->text);
    }
    path = std::get<Staged>(staged).copy;
  }
  return {};
}

Result<void> check_no_reset(const StateDirectory& directory) {
  WEIR_TRY(const auto unfinished, directory.unfinished_reset());
  if (!unfinished) return {};
  return error(Errc::refused,
               "a reset of the state directory {} was interrupted, so that its tasks may not stand "
               "where they should; run it again, to its end: {}",
               directory.path().string(), *unfinished);
}

// ---------------------------------------------------------------------------------------------

Result<std::unique_ptr<App>> App::open(const Config& config, Options options, Clock& clock,
                                       Logger& logger) {
  std::unique_ptr<App> self(new App(config, std::move(options), clock, logger));
  WEIR_CHECK(self->build());
  return self;
}

App::App(const Config& config, Options options, Clock& clock, Logger& logger)
    : config_(config), options_(std::move(options)), clock_(clock), logger_(logger) {}

App::~App() {
  admin_.reset();
  request_stop();
  join();
  reloader_.reset();  // when no thread turns the tasks any more
  workers_.clear();   // before the publishers that their tasks use
}

Result<void> App::build() {
  const config::v1::App& app = config_.app();
  // A restart's are copies of what was checked when it came.
  const bool is_start = options_.plugin_files.empty();
  if (is_start) options_.plugin_files = plugin_files(config_);
  WEIR_CHECK(check_plugins(config_, options_.plugin_files));
  std::vector<std::string> warnings;
  WEIR_TRY(directory_,
           StateDirectory::lock(options_.state.value_or(config_.resolve_path(app.state().path())),
                                app.app(), warnings, options_.named_pid));
  for (const std::string& warning : warnings) logger_.warn("commit", "{}", warning);
  WEIR_CHECK(check_no_reset(*directory_));
  if (options_.open_journal) {
    WEIR_TRY(journal_, options_.open_journal(state_path()));
    std::vector<std::string> unreadable;
    crashes_ = read_crash_reports(state_path(), unreadable);
    for (const std::string& warning : unreadable) logger_.warn("supervise", "{}", warning);
    view_.set_crashes(crashes_);
    view_.set_slow_calls(options_.slow_calls);
  }

  log_ = options_.log;
  if (log_ == nullptr) {
    WEIR_TRY(own_log_, open_app_log(config_, state_path(), &logger_));
    log_ = own_log_.get();
    WEIR_TRY(retries_, open_retry_log(state_path()));
  }
  if (options_.start_admin) {
    WEIR_TRY(admin_, options_.start_admin(view_, *log_, state_path()));
  }
  if (is_start) WEIR_CHECK(stage_pinned(config_, state_path(), options_.plugin_files));
  for (std::size_t i = 0; i < options_.plugin_files.size(); ++i) {
    // Its own name, also where the file is a copy that is called otherwise.
    const std::filesystem::path named = app.plugins(static_cast<int>(i));
    WEIR_TRY(auto plugin, load_plugin(options_.plugin_files[i], named.stem().string(),
                                      state_path() / "plugins", logger_, journal_));
    plugins_.push_back(std::move(plugin));
  }
  WEIR_CHECK(open_topics());
  WEIR_CHECK(join_group());  // before a producer is opened: that fences the producers of others

  for (std::size_t worker = 0; worker < worker_count(); ++worker) {
    WEIR_TRY(auto publisher, Publisher::open(*log_, {.group = app.app(),
                                                     .id = std::to_string(worker),
                                                     .own_thread = options_.own_threads,
                                                     .clock = &clock_,
                                                     .after_step = options_.after_step}));
    publishers_.push_back(std::move(publisher));
  }
  for (std::size_t worker = 0; worker < worker_count(); ++worker) {
    WEIR_TRY(auto assignments, open_tasks(worker));
    workers_.push_back(std::make_unique<Worker>(*log_, clock_, std::move(assignments)));
  }
  return {};
}

Result<void> App::join_group() {
  Membership membership;
  membership.group = config_.app().app();
  membership.host = directory_->identity();
  for (const auto& [source, info] : source_topics_) membership.topics.push_back(info.name);
  membership.admit = [this](const TopicPartition& input, const std::optional<Mark>& mark) {
    return check_mark(input, mark);
  };
  // Before the first producer of this host is opened, and until those of the last one have ended.
  const std::uint32_t before = directory_->workers();
  const auto now = static_cast<std::uint32_t>(worker_count());
  WEIR_CHECK(directory_->set_workers(std::max(before, now)));
  for (std::uint32_t id = now; id < before; ++id) {
    membership.former_producers.push_back(std::to_string(id));
  }
  WEIR_CHECK(log_->join(membership));
  return directory_->set_workers(now);
}

std::size_t App::worker_count() const { return options_.own_threads ? config_.app().workers() : 1; }

/// A host that its tasks would refuse anyway must not take the group from one that only sleeps.
Result<void> App::check_mark(const TopicPartition& input, const std::optional<Mark>& mark) {
  for (const auto& [source, info] : source_topics_) {
    if (info.name != input.topic) continue;
    const std::string task = task_name(source, input.partition);
    std::optional<v1::Head> head;
    std::error_code ignored;
    if (std::filesystem::exists(directory_->task_directory(task), ignored)) {
      WEIR_TRY(const auto store, TaskStore::open(store_options(task)));
      head = store->head();
    }
    if (auto fits = check_fit(source, info, input, head, mark); !fits) {
      return error(fits.error().code, "task {}: {}", task, fits.error().message);
    }
  }
  return {};
}

Result<void> App::check_fit(const std::string& source, const TopicInfo& info,
                            const TopicPartition& input, const std::optional<v1::Head>& head,
                            const std::optional<Mark>& mark) {
  const Fit fit{config_.name(), source, input, info.partition_count, info.identity};
  OffsetRange range;
  if (head) {
    WEIR_TRY(range, log_->offsets(input));
    WEIR_CHECK(check_input(fit, head->inputs(0), range));
  }
  const auto fits = host::check_mark(fit, head, mark);
  if (fits) return {};
  if (head) WEIR_CHECK(check_last_record(fit, head->inputs(0), range, *log_));
  return fits.error();
}

Result<void> App::open_topics() {
  const config::v1::App& app = config_.app();
  // Config::warnings() has spoken of the other sources.
  for (const std::string& name : sources_with_tasks(app)) {
    const config::v1::Source& source = app.sources().at(name);
    WEIR_TRY(auto info, ensure_topic(config_, *log_, logger_, source.topic(), source.partitions(),
                                     TopicUse::source));
    task_count_ += info.partition_count;
    source_topics_.emplace_back(name, std::move(info));
  }
  WEIR_TRY(sinks_, AppSinks::open(config_, *log_, logger_));
  return {};
}

Result<std::vector<Worker::Assignment>> App::open_tasks(std::size_t worker) {
  std::vector<Worker::Assignment> assignments;
  std::size_t number = 0;
  for (const auto& [source, info] : source_topics_) {
    for (std::int32_t partition = 0; partition < info.partition_count; ++partition) {
      if (number++ % publishers_.size() != worker) continue;
      WEIR_TRY(TaskOptions options, task_options(source, partition));
      const TopicPartition input = options.source.input;
      WEIR_TRY(auto task, Task::open(std::move(options), {*log_, *publishers_[worker], clock_,
                                                          logger_, retries_.get()}));
      std::optional<std::int64_t> end;
      if (options_.until_end) {
        WEIR_TRY(const OffsetRange range, log_->offsets(input));
        end = range.end;
      }
      assignments.push_back({std::move(task), end});
    }
  }
  return assignments;
}

Result<TaskOptions> App::task_options(const std::string& source_name, std::int32_t partition) {
  const config::v1::App& app = config_.app();
  const config::v1::Source& source = app.sources().at(source_name);
  const TopicInfo& info = value_of(source_topics_, source_name);

  TaskOptions task;
  task.app = app.app();
  task.yaml = config_.name();
  task.name = task_name(source_name, partition);
  task.source.name = source_name;
  task.source.input = {source.topic(), partition};
  task.source.partition_count = info.partition_count;
  task.source.topic_identity = info.identity;
  WEIR_TRY(task.source.start, to_start(source.start()));
  if (source.late_arrival_deadline() >= 0) {
    task.source.late_arrival_deadline_ms = source.late_arrival_deadline();
  }
  task.source.arrival_is_record_time = source.arrival() == config::v1::RECORD;
  task.source.partitioner = to_partitioner(source.partitioner());
  const auto policy = [&](SetAside kind) -> Policy& {
    return task.source.policies[static_cast<std::size_t>(kind)];
  };
  policy(SetAside::late) = to_policy(source.late());
  policy(SetAside::undecodable) = to_policy(source.undecodable());
  policy(SetAside::null_value) = to_policy(source.null_value());
  policy(SetAside::rejected) = to_policy(source.rejected());
  policy(SetAside::key) = to_policy(source.rejected());
  policy(SetAside::misplaced) = to_policy(source.misplaced());
  policy(SetAside::crashed) = to_policy(source.crashed());
  task.source.crashed_waits = source.crashed() == config::v1::Source::PARK_KEY;

  WEIR_CHECK(add_resolvers(source_name, task));
  task.sink_names = sinks_.names();
  WEIR_TRY(task.sinks, sinks_.open_for(config_, task.name, partition, task_count_, stdout_mutex_));
  task.store = store_options(task.name);
  task.live = {.count = app.state().live().count(), .bytes = app.state().live().bytes()};
  task.parking = {.records_per_key = app.parking().records_per_key(),
                  .bytes_per_key = app.parking().bytes_per_key(),
                  .keys = app.parking().keys(),
                  .bytes = app.parking().bytes()};
  task.commit_interval_ms = app.state().commit().interval();
  task.commit_records = app.state().commit().records();
  task.commit_bytes = app.state().commit().bytes();
  task.after_step = options_.after_step;
  if (journal_ != nullptr) {
    task.journal = journal_->add_task(task.name, source.topic(), partition);
    task.control_journal = &journal_->control();
    for (TaskResolver& resolver : task.resolvers) {
      resolver.journal_number = journal_->add_resolver(resolver.name);
    }
    task.suspects = suspects_of(crashes_, task.name);
  }
  return task;
}

TaskStore::Options App::store_options(const std::string& task) const {
  TaskStore::Options options = host::store_options(config_.app(), state_path(), task);
  options.sync = options_.sync;
  return options;
}

Result<void> App::add_resolvers(const std::string& source_name, TaskOptions& task) {
  const config::v1::App& app = config_.app();
  for (const std::string& name : sorted_names(app.resolvers())) {
    const config::v1::Resolver& resolver = app.resolvers().at(name);
    if (resolver.from() != source_name) continue;
    TaskResolver use;
    use.name = name;
    use.use = resolver.use();
    use.renamed_from = resolver.renamed_from();
    const Use code = split_use(resolver.use());
    use.plugin = find_plugin(plugins_, code.plugin);
    use.resolver = code.resolver;
    if (use.plugin == nullptr || use.plugin->resolver(code.resolver) == nullptr) {
      return error(Errc::refused,
                   "the file of plugin {} was replaced while the app started; start "
                   "it again",
                   code.plugin);
    }
    WEIR_TRY(use.settings, settings_of(config_, name, *use.plugin));
    WEIR_TRY(use.decoder, decoder_of(config_, name, *use.plugin));
    use.outputs = outputs_of(config_, name, *use.plugin, sinks_.names());
    use.retry_attempts_max = resolver.retry().attempts();
    use.retry_wait_max_ms = resolver.retry().wait();
    task.resolvers.push_back(std::move(use));
  }
  return {};
}

void App::start() {
  view_.set_running(config_.app().app(), plugins_, workers_, publishers_);
  for (const auto& worker : workers_) worker->start();
}

void App::request_stop() {
  view_.set_stopping();
  for (const auto& worker : workers_) worker->request_stop();
}

bool App::is_done() const {
  return std::all_of(workers_.begin(), workers_.end(),
                     [](const auto& worker) { return worker->is_done(); });
}

void App::join() {
  for (const auto& worker : workers_) worker->join();
}

Worker::Progress App::progress() const {
  Worker::Progress sum;
  for (const auto& worker : workers_) {
    const Worker::Progress one = worker->progress();
    sum.counters += one.counters;
    sum.live_states += one.live_states;
    sum.handled += one.handled;
    sum.total += one.total;
    sum.halted += one.halted;
  }
  return sum;
}

const Error* App::first_halt() const {
  for (const auto& worker : workers_) {
    for (const Worker::Assignment& assignment : worker->assignments()) {
      if (assignment.task->halted()) return &assignment.task->halt_reason();
    }
  }
  return nullptr;
}

Result<Reloader*> App::open_reloader(Reloader::Options options) {
  options.state = state_path();
  options.crash_of = [this](const std::string& sha256, std::int64_t since_ms) {
    const v1::CrashReport* newest = nullptr;
    for (const v1::CrashReport& one : crashes_) {
      if (one.sha256() != sha256 || one.time_ms() < since_ms) continue;
      if (newest == nullptr || newest->time_ms() < one.time_ms()) newest = &one;
    }
    return newest == nullptr ? std::string() : newest->id();
  };
  reloads_ = std::make_unique<AppReloads>(AppReloads::Parts{config_, plugins_, workers_, view_,
                                                            logger_, state_path() / "plugins",
                                                            *log_, journal_, options_.own_threads});
  WEIR_TRY(reloader_, Reloader::open(*reloads_, clock_, logger_, std::move(options)));
  return reloader_.get();
}

std::optional<std::int64_t> App::log_call_since_ms() const {
  std::optional<std::int64_t> first;
  for (const auto& publisher : publishers_) {
    const auto since = publisher->calling_since_ms();
    if (since && (!first || *since < *first)) first = since;
  }
  return first;
}

std::vector<Task*> App::tasks() {
  std::vector<Task*> tasks;
  for (const auto& worker : workers_) {
    for (const Worker::Assignment& assignment : worker->assignments()) {
      tasks.push_back(assignment.task.get());
    }
  }
  return tasks;
}

}  // namespace weir::host
