#include "app/command_crashes.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "commit/state_directory.hpp"
#include "config/config.hpp"
#include "supervise/crash_report.hpp"

namespace weir::host {
namespace {

Result<std::filesystem::path> state_of(const CrashesOptions& options) {
  if (!options.directory.empty()) return options.directory;
  if (options.config.empty()) {
    return error(Errc::usage, "say whose: weir crashes -c app.yaml, or --state and a directory");
  }
  WEIR_TRY(const auto config, Config::load(options.config));
  return config.resolve_path(config.app().state().path());
}

Result<std::vector<v1::CrashReport>> read(const std::filesystem::path& state) {
  std::vector<std::string> warnings;
  std::vector<v1::CrashReport> reports = read_crash_reports(state, warnings);
  // The journal of a host that runs without a supervisor tells of no crash.
  WEIR_TRY(auto unsettled, unsettled_crash(state));
  if (unsettled && std::none_of(reports.begin(), reports.end(), [&](const v1::CrashReport& one) {
        return one.id() == unsettled->id();
      })) {
    reports.push_back(*std::move(unsettled));
  }
  for (const std::string& warning : warnings) say("warning: {}", warning);
  return reports;
}

Result<void> print(const v1::CrashReport& report, const CrashesOptions& options) {
  if (options.format == OutputFormat::json) {
    WEIR_TRY(std::string json, json_of(report));
    while (json.ends_with('\n')) json.pop_back();
    print_line(json);
  } else if (options.id.empty()) {
    print_line(fmt::format("{}  {}{}", report.id(), headline(report),
                           report.counted() ? "" : " (not counted: " + report.verdict() + ")"));
  } else {
    std::string text = text_of(report);
    while (text.ends_with('\n')) text.pop_back();
    print_line(text);
  }
  return {};
}

Result<bool> run(const CrashesOptions& options) {
  WEIR_TRY(const std::filesystem::path state, state_of(options));
  if (options.forget) {
    if (options.id.empty()) return error(Errc::usage, "--forget: say which, by its ID");
    WEIR_CHECK(forget_crash_report(state, options.id));
    say("forgotten: {}; a host that runs still counts it", options.id);
    return true;
  }
  WEIR_TRY(const auto reports, read(state));
  bool found = false;
  for (const v1::CrashReport& report : reports) {
    if (!options.id.empty() && report.id() != options.id) continue;
    found = true;
    WEIR_CHECK(print(report, options));
  }
  if (!found && !options.id.empty()) {
    return error(Errc::not_found, "there is no crash report {} in {}", options.id, state.string());
  }
  if (!found) say("no crash is known");
  return found;
}

}  // namespace

ExitCode command_crashes(const CrashesOptions& options) {
  const auto found = run(options);
  if (!found) return fail(found.error());
  return ExitCode::ok;
}

}  // namespace weir::host
