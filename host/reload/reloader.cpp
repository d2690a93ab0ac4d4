#include "reload/reloader.hpp"

#include <algorithm>
#include <random>
#include <set>

#include "reload/schema_changes.hpp"
#include "resolve/plugin_bytes.hpp"
#include "resolve/plugin_copy.hpp"

namespace weir::host {

namespace {

constexpr std::int64_t go_back_again_ms = 10'000;

std::string named(const v1::Generation& generation) {
  return fmt::format("{} {} (sha256 {:.12})", generation.plugin(), generation.version(),
                     generation.sha256());
}

Refusal refusal_of(ReloadStep step, ReloadCode code, std::string text) {
  return {step, code, std::move(text)};
}

ReloadCode code_of(const ReloadApp::Misfit& misfit) {
  if (misfit.key == "use") return ReloadCode::missing_resolver;
  if (misfit.key == "to") return ReloadCode::missing_output;
  if (misfit.key == "from") return ReloadCode::message_type;
  return ReloadCode::settings;
}

}  // namespace

std::string_view word_of(ReloadOutcome outcome) {
  constexpr std::string_view words[] = {"reloaded", "unchanged", "checked", "loaded",
                                        "rolled_back"};
  return words[static_cast<std::size_t>(outcome)];
}

Result<std::unique_ptr<Reloader>> Reloader::open(ReloadApp& app, Clock& clock, Logger& logger,
                                                 Options options) {
  WEIR_TRY(Generations generations, Generations::open(options.state));
  std::unique_ptr<Reloader> self(
      new Reloader(app, clock, logger, std::move(options), std::move(generations)));
  for (const Slot& slot : self->slots_) {
    // So that a rollback finds the bytes, wherever the file has gone by then.
    WEIR_CHECK(self->generations_.keep(slot.generation.sha256(), slot.running->copy_path()));
    WEIR_CHECK(self->note_start(slot));
  }
  self->show();
  return self;
}

Reloader::Reloader(ReloadApp& app, Clock& clock, Logger& logger, Options options,
                   Generations generations)
    : app_(app),
      clock_(clock),
      logger_(logger),
      options_(std::move(options)),
      generations_(std::move(generations)) {
  for (std::size_t i = 0; i < app_.plugins().size(); ++i) {
    Slot& slot = slots_.emplace_back();
    slot.running = app_.plugins()[i];
    slot.name = slot.running->manifest().plugin;
    slot.file = app_.file_of(i);
    slot.generation = generation_of(slot.running->file(), slot.file);
    slot.generation.set_yaml_file(slot.file.string());
  }
}

Reloader::~Reloader() = default;

Result<void> Reloader::note_start(const Slot& slot) {
  const std::int64_t now_ms = clock_.wall_ms();
  if (!options_.restarted) return generations_.started(now_ms, slot.generation);
  const auto left = generations_.stored().in_probation().find(slot.name);
  if (left == generations_.stored().in_probation().end()) return {};
  const v1::Generation from = left->second;
  std::string crash;
  if (options_.crash_of) {
    crash = options_.crash_of(from.sha256(), generations_.last_reload_ms(from.sha256()));
  }
  const std::string why = fmt::format("the worker process ended while it was in its probation{}{}",
                                      crash.empty() ? "" : ": weir crashes ", crash);
  logger_.warn("reload", "{} runs again in the place of {}: {}", named(slot.generation),
               named(from), why);
  return generations_.rolled_back(now_ms, slot.generation, from, ReloadCode::worker_ended, why,
                                  crash);
}

Reloader::Slot* Reloader::find(const std::string& plugin) {
  if (plugin.empty()) return slots_.size() == 1 ? &slots_.front() : nullptr;
  const auto found = std::ranges::find(slots_, plugin, &Slot::name);
  return found == slots_.end() ? nullptr : &*found;
}

Refusal Reloader::unknown(const std::string& plugin) const {
  std::string names;
  for (const Slot& one : slots_) names += (names.empty() ? "" : ", ") + one.name;
  return refusal_of(ReloadStep::request, ReloadCode::unknown_plugin,
                    plugin.empty()
                        ? fmt::format("the app has several plugins; name one of {}", names)
                        : fmt::format("the app has no plugin {}; it has {}", plugin, names));
}

ReloadAnswer Reloader::run(const ReloadRequest& request) {
  Slot* const slot = find(request.plugin);
  if (slot == nullptr) return unknown(request.plugin);
  ReloadAnswer answer;
  if (request.what == ReloadRequest::What::rollback) {
    answer = roll_back(*slot, request);
  } else if (request.what != ReloadRequest::What::activate) {
    answer = reload(*slot, request);
  } else if (!slot->loaded) {
    answer = refuse(*slot, nullptr,
                    refusal_of(ReloadStep::request, ReloadCode::nothing_loaded,
                               fmt::format("no build of plugin {} waits for being activated; `weir "
                                           "plugin load` loads one",
                                           slot->name)));
  } else {
    Candidate candidate = *std::exchange(slot->loaded, std::nullopt);
    answer = activate(*slot, std::move(candidate), request, {});
  }
  show();
  return answer;
}

std::vector<ReloadAnswer> Reloader::reload_changed(std::chrono::milliseconds timeout) {
  std::vector<ReloadAnswer> answers;
  for (Slot& slot : slots_) {
    ReloadRequest request;
    request.plugin = slot.name;
    request.timeout = timeout;
    answers.push_back(run(request));
  }
  return answers;
}

std::variant<Migration::Progress, Refusal> Reloader::migrate(const std::string& plugin) {
  const Slot* const slot = find(plugin);
  if (slot == nullptr) return unknown(plugin);
  const auto under_way = migration();
  if (under_way && !under_way->over()) {
    if (under_way->plugin == slot->name) return *under_way;
    return refusal_of(ReloadStep::request, ReloadCode::busy,
                      fmt::format("the States of plugin {} are being migrated; ask again when that "
                                  "is over",
                                  under_way->plugin));
  }
  migration_.emplace(app_, *slot->running);
  logger_.info("reload", "the States of plugin {} that are of an older version are migrated",
               slot->name);
  return migration_->progress();
}

std::optional<Migration::Progress> Reloader::migration() const {
  if (!migration_) return std::nullopt;
  return migration_->progress();
}

std::variant<std::string, Refusal> Reloader::hash_of(const Slot& slot, const ReloadRequest& request,
                                                     bool is_known) const {
  if (is_known) return request.sha256;
  const auto pin = app_.pin(slot.name);
  if (!pin) {
    return refusal_of(
        ReloadStep::stage, ReloadCode::unreadable,
        fmt::format("the YAML, which may pin it, cannot be read: {}", pin.error().message));
  }
  if (pin->empty() || request.sha256.empty() || *pin == request.sha256) {
    return pin->empty() ? request.sha256 : *pin;
  }
  return refusal_of(ReloadStep::stage, ReloadCode::hash_mismatch,
                    fmt::format("the YAML pins plugin {} to sha256 {}, and {} is asked for",
                                slot.name, *pin, request.sha256));
}

ReloadAnswer Reloader::reload(Slot& slot, const ReloadRequest& request, bool is_known) {
  const std::filesystem::path& file = request.file.empty() ? slot.file : request.file;
  const auto hash = hash_of(slot, request, is_known);
  if (const auto* refusal = std::get_if<Refusal>(&hash)) return refuse(slot, nullptr, *refusal);
  auto staged = stage_plugin(file, std::get<std::string>(hash), generations_.builds());
  if (const auto* refusal = std::get_if<Refusal>(&staged)) return refuse(slot, nullptr, *refusal);
  const Staged& candidate = std::get<Staged>(staged);
  v1::Generation generation = generation_of(candidate.file, file);
  generation.set_yaml_file(slot.file.string());
  step("stage");

  ReloadReport report;
  report.plugin = slot.name;
  report.before = slot.generation;
  report.after = generation;
  if (generation.sha256() == slot.generation.sha256()) {
    report.outcome = ReloadOutcome::unchanged;
    return report;
  }
  if (auto refusal = check(slot, candidate, report)) {
    return refuse(slot, &generation, *std::move(refusal));
  }
  if (request.what == ReloadRequest::What::dry_run) {
    report.outcome = ReloadOutcome::checked;
    return report;
  }
  auto loaded = load(candidate, generation);
  if (auto* refusal = std::get_if<Refusal>(&loaded)) {
    return refuse(slot, &generation, std::move(*refusal));
  }
  step("load");
  if (request.what == ReloadRequest::What::load) {
    if (slot.loaded) retire(std::move(slot.loaded->plugin));
    slot.loaded = std::get<Candidate>(std::move(loaded));
    report.outcome = ReloadOutcome::loaded;
    return report;
  }
  return activate(slot, std::get<Candidate>(std::move(loaded)), request, std::move(report));
}

std::optional<Refusal> Reloader::check(Slot& slot, const Staged& staged, ReloadReport& report) {
  const PluginFile& file = staged.file;
  report.checked.push_back(fmt::format("file and manifest: ABI {}.{}, {} resolver{}",
                                       file.manifest.abi_major, file.manifest.abi_minor,
                                       file.manifest.resolvers.size(),
                                       file.manifest.resolvers.size() == 1 ? "" : "s"));
  if (file.manifest.plugin != slot.name) {
    return refusal_of(ReloadStep::fit, ReloadCode::other_plugin,
                      fmt::format("{} is plugin {}, and {} is to be reloaded", file.path.string(),
                                  file.manifest.plugin, slot.name));
  }
  if (const auto misfits = app_.misfits(file); !misfits.empty()) {
    std::string text;
    for (const ReloadApp::Misfit& misfit : misfits)
      text += (text.empty() ? "" : "\n") + misfit.text;
    return refusal_of(ReloadStep::fit, code_of(misfits.front()), std::move(text));
  }
  report.checked.emplace_back("resolvers, outputs and settings of the app");

  std::size_t tasks = 0;
  std::set<std::string> said;  // every task has the same to say
  std::string conflicts;
  bool keeps_undo = false;
  for (const ReloadApp::RunningTask& running : app_.tasks()) {
    if (const auto fits = app_.check_schemas(*running.task, file, staged.schemas); !fits) {
      std::string text = fits.error().message;
      const std::string prefix = fmt::format("task {}: ", running.task->name());
      for (std::size_t at = 0; (at = text.find(prefix, at)) != std::string::npos;) {
        text.erase(at, prefix.size());
      }
      if (said.insert(text).second) conflicts += (conflicts.empty() ? "" : "\n") + text;
    } else {
      keeps_undo |= *fits;
    }
    ++tasks;
  }
  if (!conflicts.empty()) {
    return refusal_of(ReloadStep::schema, ReloadCode::state_schema, std::move(conflicts));
  }
  report.checked.push_back(fmt::format("State types against every earlier one, in {} task{}", tasks,
                                       tasks == 1 ? "" : "s"));
  if (keeps_undo) {
    report.checked.emplace_back(
        "the build that runs cannot read its States: until it is promoted, what it overwrites is "
        "kept, and a rollback takes the tasks back to where they went over");
  }
  report.state_changes = state_schema_changes(slot.running->file(), file);

  return probe(slot, staged, report);
}

std::optional<Refusal> Reloader::probe(const Slot& slot, const Staged& staged,
                                       ReloadReport& report) {
  if (options_.probe_command.empty()) {
    report.checked.emplace_back("not tried in another process");
    return std::nullopt;
  }
  ProbeRequest request;
  request.command = options_.probe_command;
  request.candidate = staged.copy;
  request.running = slot.running->copy_path();
  request.copies = generations_.builds().parent_path();
  request.state = options_.state;
  request.seed = std::random_device()();
  if (auto parts = app_.add_probe_parts(staged.file, staged.schemas, request); !parts) {
    return refusal_of(ReloadStep::fit, ReloadCode::settings, parts.error().message);
  }
  auto tried = probe_build(request);
  if (auto* refusal = std::get_if<Refusal>(&tried)) return std::move(*refusal);
  const auto& lines = std::get<std::vector<std::string>>(tried);
  report.checked.insert(report.checked.end(), lines.begin(), lines.end());
  step("probe");
  return std::nullopt;
}

std::variant<Reloader::Candidate, Refusal> Reloader::load(const Staged& staged,
                                                          const v1::Generation& generation) {
  if (pinned_ >= options_.pinned_max) {
    return refusal_of(
        ReloadStep::load, ReloadCode::too_many_pinned,
        fmt::format("{} builds stay in memory although nothing uses them, most likely for a "
                    "thread_local with a destructor, and {} may; restart the host: it loads the "
                    "file that the YAML names",
                    pinned_, options_.pinned_max));
  }
  auto plugin = app_.load(staged.copy, generation.plugin());
  if (!plugin) {
    return refusal_of(ReloadStep::load, ReloadCode::table_refused, plugin.error().message);
  }
  if ((*plugin)->file().sha256 != staged.file.sha256) {
    return refusal_of(ReloadStep::load, ReloadCode::hash_mismatch,
                      fmt::format("{} has changed since it was checked", staged.copy.string()));
  }
  return Candidate{*std::move(plugin), generation};
}

ReloadAnswer Reloader::activate(Slot& slot, Candidate candidate, const ReloadRequest& request,
                                ReloadReport report) {
  report.plugin = slot.name;
  report.before = slot.generation;
  report.after = candidate.generation;
  if (auto refusal = going_back()) {
    retire(std::move(candidate.plugin));
    return refuse(slot, &candidate.generation, *std::move(refusal));
  }
  SwapTasks swap(app_, swaps_, logger_, {request.timeout, &stopping_, options_.turn_tasks});
  const ProbationFigures figures = app_.figures(slot.name);
  // Durable before the first record meets the build: what is not promoted no restart loads.
  if (auto written = generations_.announce(candidate.generation); !written) {
    retire(std::move(candidate.plugin));
    return refuse(slot, nullptr,
                  refusal_of(ReloadStep::load, ReloadCode::no_room, written.error().message));
  }
  step("announce");
  if (auto refusal = swap.run(slot.running, candidate.plugin)) {
    retire(std::move(candidate.plugin));
    note(generations_.withdraw(slot.name, slot.probation ? &slot.generation : nullptr));
    return refuse(slot, &candidate.generation, *std::move(refusal));
  }
  step("swapped");
  app_.activated(candidate.plugin);
  note(generations_.reloaded(clock_.wall_ms(), candidate.generation, slot.generation));
  // In the probation of a build, what it would go back to stays; the build itself goes.
  if (slot.before == nullptr) {
    slot.before = std::move(slot.running);
    slot.generation_before = slot.generation;
  } else {
    retire(std::move(slot.running));
  }
  slot.running = std::move(candidate.plugin);
  slot.generation = candidate.generation;
  ++slot.reloads;
  report.tasks = swap.done().tasks;
  report.longest_pause_us = swap.done().longest_pause_us;
  logger_.info("reload", "{} runs in the place of {} in {} tasks, which waited at most {} us",
               named(slot.generation), named(report.before), report.tasks, report.longest_pause_us);
  if (options_.probation.time_ms > 0) {
    report.probation_ms = options_.probation.time_ms;
    slot.probation.emplace(options_.probation, figures, clock_.steady_ms());
  } else {
    promote(slot);
  }
  return report;
}

std::optional<Refusal> Reloader::going_back() const {
  const std::string task = swaps_.going_back();
  if (task.empty()) return std::nullopt;
  return refusal_of(ReloadStep::swap, ReloadCode::busy,
                    fmt::format("task {} is still on its way back from a build that was refused: "
                                "what it has published is not out yet; ask again when it is",
                                task));
}

void Reloader::promote(Slot& slot) {
  note(generations_.promoted(clock_.wall_ms(), slot.generation));
  step("promoted");
  slot.probation.reset();
  for (const ReloadApp::RunningTask& running : app_.tasks()) running.task->forget_undo();
  retire(std::move(slot.before));
  logger_.info("reload", "{} is what a restart loads from now on", named(slot.generation));
}

ReloadAnswer Reloader::roll_back(Slot& slot, const ReloadRequest& request) {
  if (slot.before != nullptr) {
    return go_back(slot, ReloadCode::operator_asked, "an operator asked for it", request.timeout);
  }
  const auto generation = generations_.before_promoted(slot.name);
  if (!generation) {
    return refuse(slot, nullptr,
                  refusal_of(ReloadStep::request, ReloadCode::no_previous,
                             fmt::format("no build of plugin {} before {} is known here", slot.name,
                                         slot.generation.version())));
  }
  // The build before the one that runs is not in memory any more: all of the steps again.
  ReloadRequest again = request;
  again.what = ReloadRequest::What::reload;
  again.file = generations_.builds() / (generation->sha256() + ".so");
  again.sha256 = generation->sha256();
  ReloadAnswer answer = reload(slot, again, /*is_known=*/true);
  if (std::holds_alternative<Refusal>(answer)) return answer;
  std::get<ReloadReport>(answer).outcome = ReloadOutcome::rolled_back;
  std::get<ReloadReport>(answer).probation_ms = 0;
  ++slot.rollbacks;
  if (slot.before != nullptr) promote(slot);  // it has been trusted before
  return answer;
}

ReloadAnswer Reloader::go_back(Slot& slot, ReloadCode code, const std::string& why,
                               std::chrono::milliseconds timeout) {
  ReloadReport report;
  report.plugin = slot.name;
  report.outcome = ReloadOutcome::rolled_back;
  report.before = slot.generation;
  report.after = slot.generation_before;
  if (auto refusal = going_back()) return refuse(slot, nullptr, *std::move(refusal));
  SwapTasks swap(app_, swaps_, logger_, {timeout, &stopping_, options_.turn_tasks});
  if (auto refusal = swap.run(slot.running, slot.before)) {
    return refuse(slot, nullptr, *std::move(refusal));
  }
  app_.activated(slot.before);
  note(generations_.rolled_back(clock_.wall_ms(), slot.generation_before, slot.generation, code,
                                why));
  logger_.warn("reload", "{} runs again in the place of {}: {}", named(slot.generation_before),
               named(slot.generation), why);
  retire(std::move(slot.running));
  slot.running = std::move(slot.before);
  slot.generation = slot.generation_before;
  slot.probation.reset();
  ++slot.rollbacks;
  report.tasks = swap.done().tasks;
  report.longest_pause_us = swap.done().longest_pause_us;
  return report;
}

ReloadAnswer Reloader::refuse(Slot& slot, const v1::Generation* generation, Refusal refusal) {
  ++slot.refusals;
  refusal.plugin = slot.name;
  refusal.running = slot.generation.version();
  logger_.warn("reload", "{} runs on: {}: {}: {}", named(slot.generation), name_of(refusal.step),
               name_of(refusal.code), refusal.text);
  if (generation != nullptr) {
    note(generations_.refused(clock_.wall_ms(), *generation, refusal));
  }
  return refusal;
}

bool Reloader::turn() {
  bool busy = swaps_.turn();
  const std::uint64_t pinned_before = pinned_;
  for (Slot& slot : slots_) {
    if (!slot.probation) continue;
    busy = true;
    const ProbationFigures now = app_.figures(slot.name);
    if (const auto failure = slot.probation->failure(now)) {
      if (clock_.steady_ms() < slot.go_back_ms) continue;
      slot.go_back_ms = clock_.steady_ms() + go_back_again_ms;  // should it be refused
      go_back(slot, failure->first, failure->second, std::chrono::milliseconds(10'000));
      show();
    } else if (slot.probation->is_over(now, clock_.steady_ms())) {
      promote(slot);
      show();
    }
  }
  busy = unload_retired() || busy;
  if (pinned_ != pinned_before) show();
  return busy;
}

void Reloader::retire(std::shared_ptr<Plugin> plugin) {
  if (plugin != nullptr) retired_.push_back(std::move(plugin));
}

/// True while some are still in use.
bool Reloader::unload_retired() {
  for (std::shared_ptr<Plugin>& plugin : retired_) {
    if (plugin.use_count() != 1)
      continue;  // its States are still being freed, or a task has halted
    const std::filesystem::path copy = plugin->copy_path();
    plugin.reset();
    if (is_mapped(copy)) ++pinned_;  // its own destructor has said why
  }
  std::erase(retired_, nullptr);
  return !retired_.empty();
}

void Reloader::note(const Result<void>& written) {
  if (!written) logger_.error("reload", "{}", written.error().message);
}

void Reloader::show() {
  std::vector<GenerationView> views;
  for (const Slot& slot : slots_) {
    views.push_back({slot.name, slot.generation.version(), slot.generation.sha256(),
                     slot.probation.has_value(),
                     slot.loaded ? slot.loaded->generation.version() : "", slot.reloads,
                     slot.refusals, slot.rollbacks});
  }
  app_.show(views, pinned_);
}

std::size_t Reloader::loaded() const {
  std::size_t count = retired_.size();
  for (const Slot& slot : slots_) {
    count += 1 + (slot.before != nullptr ? 1 : 0) + (slot.loaded ? 1 : 0);
  }
  return count;
}

}  // namespace weir::host
