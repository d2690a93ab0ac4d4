#include "app/command_validate.hpp"

#include <algorithm>

#include "app/app_log.hpp"
#include "app/app_schemas.hpp"
#include "base/counted.hpp"
#include "config/config.hpp"

namespace weir::host {
namespace {

struct Outcome {
  std::size_t errors = 0;
  std::size_t warnings = 0;
};

std::string json_of(const std::filesystem::path& file, const Finding& finding) {
  const bool is_error = finding.severity == Finding::Severity::error;
  return fmt::format(
      R"({{"file":{},"line":{},"column":{},"severity":"{}","message":{},"hint":{}}})",
      json_string(file.string()), finding.line, finding.column, is_error ? "error" : "warning",
      json_string(finding.message), json_string(finding.hint));
}

std::string summary(const Config& config) {
  const config::v1::App& app = config.app();
  return fmt::format("app {}: {}, {}, {}, {}", app.app(), counted(app.plugins_size(), "plugin"),
                     counted(app.sources_size(), "source"),
                     counted(app.resolvers_size(), "resolver"), counted(app.sinks_size(), "sink"));
}

void say_plugins(const AppSchemas& plugins) {
  for (const AppSchemas::File& plugin : plugins.files()) {
    say("  plugin {} {} (sha256 {}..., {})", plugin.file.manifest.plugin,
        plugin.file.manifest.version, plugin.file.sha256.substr(0, 12), plugin.file.path.string());
  }
}

Outcome validate(const std::filesystem::path& file, const ValidateOptions& options) {
  std::vector<Finding> findings;
  auto config = Config::load(file, &findings);
  AppSchemas plugins;
  if (config) {
    for (Finding& finding : check_app_log(*config)) findings.push_back(std::move(finding));
  }
  if (config && !options.no_plugins) {
    plugins = AppSchemas::read(*config, findings);
    plugins.check(*config, findings);
    plugins.check_pins(*config, findings);
  }
  Outcome outcome;
  for (const Finding& finding : findings) {
    (finding.severity == Finding::Severity::error ? outcome.errors : outcome.warnings) += 1;
  }
  if (!config && findings.empty()) ++outcome.errors;  // it could not be read at all

  if (options.format == OutputFormat::json) {
    for (const Finding& finding : findings) print_line(json_of(file, finding));
    if (!config && findings.empty()) {
      print_line(json_of(file, {0, 0, config.error().message, "", Finding::Severity::error}));
    }
  } else if (!config) {
    say_line(config.error().message);
  } else if (!findings.empty()) {
    say_line(config->render(findings));
  }
  if (outcome.errors == 0) {
    if (options.format == OutputFormat::text) {
      say("{}: ok, {}", file.string(), summary(*config));
      say_plugins(plugins);
    }
    if (options.print_effective) {
      std::string text = config->effective();
      while (text.ends_with('\n')) text.pop_back();
      print_line(text);
    }
  }
  return outcome;
}

}  // namespace

ExitCode command_validate(const ValidateOptions& options) {
  if (options.configs.empty()) {
    return fail(error(Errc::usage, "name the app's YAML: weir validate -c app.yaml"));
  }
  Outcome all;
  for (const std::filesystem::path& file : options.configs) {
    const Outcome one = validate(file, options);
    all.errors += one.errors;
    all.warnings += one.warnings;
  }
  const bool refused = all.errors > 0 || (options.deny_warnings && all.warnings > 0);
  return refused ? ExitCode::config : ExitCode::ok;
}

}  // namespace weir::host
