#include "app/command_state.hpp"

#include <memory>
#include <vector>

#include "base/counted.hpp"
#include "commit/state_reader.hpp"
#include "config/config.hpp"
#include "config/suggest.hpp"
#include "config/values.hpp"

namespace weir::host {
namespace {

Result<std::unique_ptr<StateReader>> open_states(const StateOptions& options) {
  if (options.config.empty() == options.directory.empty()) {
    return error(Errc::usage,
                 "say where the State is: -c app.yaml, or --state and the state directory");
  }
  if (options.config.empty()) return StateReader::open(options.directory);
  WEIR_TRY(const auto config, Config::load(options.config));
  return StateReader::open(config.resolve_path(config.app().state().path()));
}

/// A resolver that was named exists; a misspelt one is not the same as one without State.
Result<void> check_resolver(StateReader& reader, const std::string& name) {
  if (name.empty()) return {};
  WEIR_TRY(const auto resolvers, reader.resolvers());
  std::vector<std::string> names;
  for (const StateReader::ResolverInfo& info : resolvers) {
    if (info.name == name) return {};
    names.push_back(info.name);
  }
  return error(Errc::not_found, "no resolver {} has State here; {}", name,
               names.empty() ? "there is none yet" : suggestion(name, names, "resolvers"));
}

/// The member of a JSON line that says what the key's timer is set to; nothing where there is none.
std::string timer_member(const StateReader::Entry& entry) {
  return entry.timer_ms ? fmt::format(",\"timer_ms\":{}", *entry.timer_ms) : std::string();
}

Result<std::string> export_line(StateReader& reader, const StateReader::Entry& entry) {
  WEIR_TRY(const std::string state, reader.to_json(entry));
  return fmt::format(R"({{"resolver":{},{},"task":{},"type":{},"state_version":{}{},"state":{}}})",
                     json_string(entry.resolver), json_bytes("key", entry.key),
                     json_string(entry.task), json_string(entry.type), entry.state_version,
                     timer_member(entry), state);
}

/// Visits what the options select until `visit` fails.
Result<std::uint64_t> for_each(
    StateReader& reader, const StateOptions& options,
    const std::function<Result<void>(const StateReader::Entry&)>& visit) {
  WEIR_CHECK(check_resolver(reader, options.resolver));
  std::uint64_t count = 0;
  Result<void> outcome;
  WEIR_CHECK(reader.list(options.resolver, options.prefix, [&](const StateReader::Entry& entry) {
    if (options.limit != 0 && count == options.limit) return false;
    outcome = visit(entry);
    if (outcome) ++count;
    return outcome.has_value();
  }));
  WEIR_CHECK(std::move(outcome));
  return count;
}

Result<ExitCode> get(const StateOptions& options) {
  WEIR_TRY(const auto reader, open_states(options));
  WEIR_CHECK(check_resolver(*reader, options.resolver));
  WEIR_TRY(const auto entries, reader->get(options.resolver, options.key));
  if (entries.empty()) {
    say("no State for the key {}", readable(options.key));
    return ExitCode::failed;
  }
  for (const StateReader::Entry& entry : entries) {
    if (options.format == OutputFormat::json) {
      WEIR_TRY(const std::string line, export_line(*reader, entry));
      print_line(line);
      continue;
    }
    WEIR_TRY(const std::string json, reader->to_json(entry));
    say("{} · task {} · {} · {}{}", entry.resolver, entry.task, entry.type,
        format_size(entry.bytes.size()) + (entry.bytes.size() < 1024 ? " bytes" : ""),
        entry.timer_ms ? " · timer at " + format_time_ms(*entry.timer_ms) : "");
    print_line(json);
  }
  return ExitCode::ok;
}

Result<ExitCode> list(const StateOptions& options) {
  WEIR_TRY(const auto reader, open_states(options));
  const auto print = [&](const StateReader::Entry& entry) -> Result<void> {
    if (options.format == OutputFormat::json) {
      print_line(fmt::format(R"({{"resolver":{},{},"task":{},"bytes":{}{}}})",
                             json_string(entry.resolver), json_bytes("key", entry.key),
                             json_string(entry.task), entry.bytes.size(), timer_member(entry)));
    } else {
      print_line(fmt::format("{:<24} {:<32} {:>10} {:<24}{}", entry.resolver, readable(entry.key),
                             entry.bytes.size(), entry.task,
                             entry.timer_ms ? " " + format_time_ms(*entry.timer_ms) : ""));
    }
    return {};
  };
  if (options.format == OutputFormat::text) {
    say("{:<24} {:<32} {:>10} {:<24} {}", "RESOLVER", "KEY", "BYTES", "TASK", "TIMER");
  }
  WEIR_TRY(const std::uint64_t count, for_each(*reader, options, print));
  say("{}", counted(count, "State"));
  return ExitCode::ok;
}

Result<ExitCode> export_all(const StateOptions& options) {
  WEIR_TRY(const auto reader, open_states(options));
  WEIR_TRY(const std::uint64_t count,
           for_each(*reader, options, [&](const StateReader::Entry& entry) -> Result<void> {
             WEIR_TRY(const std::string line, export_line(*reader, entry));
             print_line(line);
             return {};
           }));
  say("{}", counted(count, "State"));
  return ExitCode::ok;
}

ExitCode finish(const Result<ExitCode>& result) { return result ? *result : fail(result.error()); }

}  // namespace

ExitCode command_state_get(const StateOptions& options) { return finish(get(options)); }
ExitCode command_state_list(const StateOptions& options) { return finish(list(options)); }
ExitCode command_state_export(const StateOptions& options) { return finish(export_all(options)); }

}  // namespace weir::host
