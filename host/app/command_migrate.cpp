#include "app/command_migrate.hpp"

#include <chrono>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "app/app_builds.hpp"
#include "app/reload_json.hpp"
#include "base/counted.hpp"
#include "commit/state_directory.hpp"
#include "commit/state_reader.hpp"
#include "config/config.hpp"
#include "reload/stage.hpp"
#include "reload/state_trial.hpp"

namespace weir::host {

namespace {

constexpr std::chrono::milliseconds look_again{100};
/// A reload may be under way.
constexpr std::chrono::milliseconds answer_max{120'000};

/// Every plugin file of the YAML that is, or may be, the plugin that was asked for; or the one file
/// that was given.
Result<std::vector<std::filesystem::path>> files_of(const Config& config,
                                                    const ReloadOptions& options) {
  if (!options.from.empty()) return std::vector{options.from};
  std::vector<std::filesystem::path> files;
  for (const std::string& name : config.app().plugins()) {
    const std::filesystem::path path = config.resolve_path(name);
    const auto file = read_plugin_file(path);
    if (options.plugin.empty() || (file && file->manifest.plugin == options.plugin)) {
      files.push_back(path);
    }
  }
  if (!files.empty()) return files;
  return error(Errc::not_found, "no file that {} names is plugin {}; --from names another one",
               config.name(), options.plugin);
}

/// One build against all that one app has stored.
class DryRun {
 public:
  DryRun(const Config& config, std::filesystem::path state, const Staged& build)
      : config_(config), state_(std::move(state)), build_(build) {}

  Result<std::variant<StateTrial, Refusal>> run() {
    WEIR_TRY(const auto reader, StateReader::open(state_));
    if (auto refusal = fit()) return {*std::move(refusal)};
    WEIR_TRY(const auto catalogs, reader->catalogs());
    if (auto refusal = check_schemas(catalogs)) return {*std::move(refusal)};
    // The name in /proc stays right when the program's file is replaced while it runs.
    request_.command = {"/proc/self/exe", std::string(probe_child_word)};
    request_.candidate = build_.copy;
    request_.copies = build_.copy.parent_path().parent_path();
    request_.state = state_;
    return try_states(request_);
  }

 private:
  /// The app's resolvers that use it, with their settings.
  std::optional<Refusal> fit() {
    const Manifest& manifest = build_.file.manifest;
    const FindType type = [this](const std::string& name) { return message(name); };
    for (const auto& [name, resolver] : config_.app().resolvers()) {
      const Use use = split_use(resolver.use());
      if (use.plugin != manifest.plugin) continue;
      const Manifest::Resolver* offer = manifest.find(use.resolver);
      if (offer == nullptr) {
        return Refusal{ReloadStep::fit, ReloadCode::missing_resolver,
                       fmt::format("plugin {} has no resolver \"{}\", which resolver {} uses",
                                   manifest.plugin, use.resolver, name)};
      }
      auto settings = settings_of(config_, name, *offer, type);
      if (!settings) {
        return Refusal{ReloadStep::fit, ReloadCode::settings, settings.error().message};
      }
      request_.resolvers.push_back(
          {name, use.resolver, *std::move(settings), "", resolver.renamed_from()});
      schemas_.push_back({name, resolver.renamed_from(), resolver.use(), manifest.version,
                          offer->state_type.empty() ? nullptr : message(offer->state_type),
                          offer->state_version, offer->state_readable_by, offer->timers});
    }
    if (!request_.resolvers.empty()) return std::nullopt;
    return Refusal{ReloadStep::fit, ReloadCode::other_plugin,
                   fmt::format("{} is plugin {}, which no resolver of {} uses",
                               build_.file.path.string(), manifest.plugin, config_.name())};
  }

  /// Bytes of another type would be read without an error, as something else.
  std::optional<Refusal> check_schemas(const std::map<std::string, Catalog>& catalogs) const {
    std::set<std::string> said;  // every task has the same to say
    std::string conflicts;
    for (const auto& [task, catalog] : catalogs) {
      const auto fits = register_in(catalog, schemas_, {});
      if (fits || !said.insert(fits.error().message).second) continue;
      conflicts += (conflicts.empty() ? "" : "\n") + fits.error().message;
    }
    if (conflicts.empty()) return std::nullopt;
    return Refusal{ReloadStep::schema, ReloadCode::state_schema, std::move(conflicts)};
  }

  const google::protobuf::Descriptor* message(const std::string& type) const {
    return build_.schemas ? build_.schemas->message(type) : nullptr;
  }

  const Config& config_;
  std::filesystem::path state_;
  const Staged& build_;
  ProbeRequest request_;
  std::vector<ResolverSchema> schemas_;
};

void print_json(const PluginFile& file, const StateTrial& trial) {
  using json = nlohmann::ordered_json;
  json resolvers = json::array();
  for (const StateTrial::Resolver& one : trial.resolvers) {
    json versions = json::object();
    for (const auto& [version, count] : one.of_version) versions[std::to_string(version)] = count;
    resolvers.push_back({{"resolver", one.name},
                         {"states", one.states},
                         {"decoded", one.decoded},
                         {"would_migrate", one.would_migrate},
                         {"failed", one.failed},
                         {"of_version", std::move(versions)}});
  }
  print_line(json{{"plugin", file.manifest.plugin},
                  {"version", file.manifest.version},
                  {"sha256", file.sha256},
                  {"resolvers", std::move(resolvers)},
                  {"failures", trial.failures},
                  {"ended", trial.ended}}
                 .dump(-1, ' ', false, json::error_handler_t::replace));
}

void print_text(const PluginFile& file, const StateTrial& trial) {
  print_line(fmt::format("plugin {}: {} (sha256 {:.12})", file.manifest.plugin,
                         file.manifest.version, file.sha256));
  for (const StateTrial::Resolver& one : trial.resolvers) {
    std::string versions;
    for (const auto& [version, count] : one.of_version) {
      versions += fmt::format("{}{} of version {}", versions.empty() ? " (" : ", ", count, version);
    }
    if (!versions.empty()) versions += ')';
    print_line(fmt::format("  {:<16} {}{}: {} decoded, {} would migrate, {} failed", one.name,
                           counted(one.states, "State"), versions, one.decoded, one.would_migrate,
                           one.failed));
  }
  for (const std::string& failure : trial.failures) print_line("  failed " + failure);
  if (trial.failed() > trial.failures.size()) {
    print_line(fmt::format("  and {} more", trial.failed() - trial.failures.size()));
  }
}

/// Whether the build reads all of them.
Result<bool> dry_run(const Config& config, const ReloadOptions& options,
                     const std::filesystem::path& file) {
  const std::filesystem::path state = options.directory.empty()
                                          ? config.resolve_path(config.app().state().path())
                                          : options.directory;
  WEIR_TRY(const Generations generations, Generations::open(state));
  WEIR_CHECK(StateReader::open(state));  // before anything is written there
  const auto refused = [&](const Refusal& refusal) {
    flush_data();
    say("{} is refused at the step {} ({}): {}", file.string(), name_of(refusal.step),
        name_of(refusal.code), refusal.text);
    return false;
  };
  const auto staged = stage_plugin(file, options.sha256, generations.builds());
  if (const auto* refusal = std::get_if<Refusal>(&staged)) return refused(*refusal);
  const Staged& build = std::get<Staged>(staged);
  if (!options.plugin.empty() && build.file.manifest.plugin != options.plugin) {
    return refused({ReloadStep::fit, ReloadCode::other_plugin,
                    fmt::format("it is plugin {}", build.file.manifest.plugin)});
  }
  WEIR_TRY(const auto tried, DryRun(config, state, build).run());
  if (const auto* refusal = std::get_if<Refusal>(&tried)) return refused(*refusal);
  const auto& trial = std::get<StateTrial>(tried);
  options.format == OutputFormat::json ? print_json(build.file, trial)
                                       : print_text(build.file, trial);
  if (trial.ended.empty()) return trial.failed() == 0;
  flush_data();
  say("the States behind that one were not read: {}", trial.ended);
  return false;
}

Result<ExitCode> dry_run(const ReloadOptions& options) {
  if (options.config.empty()) return error(Errc::usage, "say which app: -c app.yaml");
  WEIR_TRY(const auto config, Config::load(options.config));
  WEIR_TRY(const auto files, files_of(config, options));
  bool good = true;
  for (const std::filesystem::path& file : files) {
    WEIR_TRY(const bool reads_all, dry_run(config, options, file));
    good &= reads_all;
  }
  return good ? ExitCode::ok : ExitCode::failed;
}

Result<MigrateAnswer> ask_how(const ReloadOptions& options, const std::filesystem::path& state,
                              bool begin) {
  WEIR_TRY(const std::string json,
           ask_host(state, "/migrate", migrate_request_json({options.plugin, begin}), answer_max,
                    "it has ended just now; ask again"));
  return read_migrate_answer(json);
}

void print(const Migration::Progress& done, OutputFormat format) {
  if (format == OutputFormat::json) {
    std::string line = migrate_answer_json(done);
    line.pop_back();
    return print_line(line);
  }
  print_line(fmt::format("plugin {}: {} has migrated {} of {} in {}; {} failed", done.plugin,
                         done.version, done.migrated, counted(done.visited, "State"),
                         counted(done.tasks, "task"), done.failed));
  for (const std::string& failure : done.failures) print_line("  failed " + failure);
  if (done.failed > done.failures.size()) {
    print_line(fmt::format("  and {} more", done.failed - done.failures.size()));
  }
}

Result<ExitCode> migrate(const ReloadOptions& options) {
  if (!options.from.empty() || !options.sha256.empty()) {
    return error(Errc::usage,
                 "the build that runs migrates, or that a start would load; --from and --sha256 go "
                 "with --dry-run, and `weir reload` lets another build run");
  }
  WEIR_TRY(const std::filesystem::path state, state_of(options));
  if (!StateDirectory::holder(state)) return migrate_stopped(options, state);
  WEIR_TRY(MigrateAnswer answer, ask_how(options, state, /*begin=*/true));
  while (std::holds_alternative<Migration::Progress>(answer) &&
         !std::get<Migration::Progress>(answer).over()) {
    std::this_thread::sleep_for(look_again);
    WEIR_TRY(answer, ask_how(options, state, /*begin=*/false));
  }
  if (const auto* refusal = std::get_if<Refusal>(&answer)) {
    say("{}", refusal->text);
    return ExitCode::failed;
  }
  return tell(std::get<Migration::Progress>(answer), options.format);
}

}  // namespace

ExitCode tell(const Migration::Progress& done, OutputFormat format) {
  print(done, format);
  flush_data();
  for (const std::string& one : done.gave_up) say("not to the end: {}", one);
  return done.failed == 0 && done.gave_up.empty() ? ExitCode::ok : ExitCode::failed;
}

ExitCode command_migrate(const ReloadOptions& options) {
  const auto code = options.dry_run ? dry_run(options) : migrate(options);
  return code ? *code : fail(code.error());
}

}  // namespace weir::host
