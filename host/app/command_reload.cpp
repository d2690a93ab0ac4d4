#include "app/command_reload.hpp"

#include <ctime>

#include "admin/client.hpp"
#include "app/control.hpp"
#include "app/reload_json.hpp"
#include "commit/state_directory.hpp"
#include "config/config.hpp"
#include "config/values.hpp"
#include "reload/generations.hpp"

namespace weir::host {

namespace {

using What = ReloadRequest::What;

/// The steps before the swap, and the answer's way back.
constexpr std::chrono::milliseconds beyond_timeout{60'000};

Result<ReloadCommand> command_of(const ReloadOptions& options, What what) {
  if (options.rollback && (options.dry_run || !options.from.empty())) {
    return error(Errc::usage,
                 "--rollback goes back to the build before; it takes neither --from "
                 "nor --dry-run");
  }
  ReloadCommand command;
  command.one.what = options.rollback ? What::rollback : options.dry_run ? What::dry_run : what;
  command.one.plugin = options.plugin;
  command.one.sha256 = options.sha256;
  if (!options.from.empty()) command.one.file = std::filesystem::absolute(options.from);
  auto timeout = parse_duration(options.timeout);
  if (!timeout || *timeout <= 0) {
    return error(Errc::usage, "--timeout {} is no duration; write 10s", options.timeout);
  }
  command.one.timeout = std::chrono::milliseconds(*timeout);
  command.every =
      command.one.what == What::reload && options.plugin.empty() && options.from.empty();
  return command;
}

Result<std::string> ask(const ReloadOptions& options, What what) {
  WEIR_TRY(const ReloadCommand command, command_of(options, what));
  WEIR_TRY(const std::filesystem::path state, state_of(options));
  return ask_host(state, "/reload", reload_request_json(command),
                  command.one.timeout + beyond_timeout,
                  "its next start loads the file that the YAML names");
}

std::string time_text(std::int64_t at_ms) {
  const std::time_t seconds = at_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string_view word_of(v1::GenerationEvent::What what) {
  switch (what) {
    case v1::GenerationEvent::STARTED:
      return "started";
    case v1::GenerationEvent::RELOADED:
      return "reloaded";
    case v1::GenerationEvent::PROMOTED:
      return "promoted";
    case v1::GenerationEvent::ROLLED_BACK:
      return "rolled_back";
    case v1::GenerationEvent::REFUSED:
      return "refused";
    default:
      return "unknown";
  }
}

void print_event(const v1::GenerationEvent& event, OutputFormat format) {
  const v1::Generation& generation = event.generation();
  if (format == OutputFormat::json) {
    print_line(fmt::format(
        R"({{"time":"{}","what":"{}","plugin":{},"version":{},"sha256":"{}","file":{},"before":{},"step":{},"code":{},"text":{},"crash":{}}})",
        time_text(event.at_ms()), word_of(event.what()), json_string(generation.plugin()),
        json_string(generation.version()), generation.sha256(), json_string(generation.file()),
        event.has_before() ? json_string(event.before().sha256()) : "null",
        json_string(event.step()), json_string(event.code()), json_string(event.text()),
        event.crash().empty() ? "null" : json_string(event.crash())));
    return;
  }
  std::string line = fmt::format("{}  {:<11}  {} {} (sha256 {:.12})", time_text(event.at_ms()),
                                 word_of(event.what()), generation.plugin(), generation.version(),
                                 generation.sha256());
  if (event.has_before()) line += fmt::format(" in the place of {}", event.before().version());
  if (!event.code().empty()) {
    line += fmt::format(": {}{}{}", event.step(), event.step().empty() ? "" : ": ", event.code());
  }
  if (!event.crash().empty()) line += fmt::format(" (weir crashes {})", event.crash());
  print_line(line);
}

}  // namespace

Result<std::filesystem::path> state_of(const ReloadOptions& options) {
  if (!options.directory.empty()) return options.directory;
  if (options.config.empty()) {
    return error(Errc::usage, "say which host: -c app.yaml, or --state and its state directory");
  }
  WEIR_TRY(const auto config, Config::load(options.config));
  return config.resolve_path(config.app().state().path());
}

Result<std::string> ask_host(const std::filesystem::path& state, const std::string& path,
                             std::string body, std::chrono::milliseconds deadline,
                             std::string_view without) {
  auto answer = http_post(control_address(state), path, std::move(body), deadline);
  if (!answer && answer.error().code == Errc::not_found) {
    const auto holder = StateDirectory::holder(state);
    return error(Errc::unavailable, "{}",
                 holder
                     ? fmt::format("{} runs in {}, but takes no requests yet: it is starting, or "
                                   "stopping",
                                   *holder, state.string())
                     : fmt::format("no host runs in {}: {}", state.string(), without));
  }
  if (!answer) return std::move(answer).error();
  if (answer->status == 403) return error(Errc::refused, "{}", answer->body);
  if (answer->status != 200) {
    return error(Errc::unavailable, "the host answers with status {}: {}", answer->status,
                 answer->body);
  }
  return std::move(answer->body);
}

ExitCode command_reload(const ReloadOptions& options, What what) {
  const auto json = ask(options, what);
  if (!json) return fail(json.error());
  const auto text = read_reload_answers(*json);
  if (!text) return fail(text.error());
  std::string_view out = options.format == OutputFormat::json ? *json : text->done;
  while (out.ends_with('\n')) out.remove_suffix(1);
  if (!out.empty()) print_line(out);
  if (text->refused.empty()) return ExitCode::ok;
  std::string_view refused = text->refused;
  while (refused.ends_with('\n')) refused.remove_suffix(1);
  flush_data();
  say_line(refused);
  return ExitCode::failed;
}

ExitCode command_plugin_history(const ReloadOptions& options) {
  const auto state = state_of(options);
  if (!state) return fail(state.error());
  const auto generations = Generations::open(*state);
  if (!generations) return fail(generations.error());
  for (const v1::GenerationEvent& event : generations->stored().events()) {
    if (!options.plugin.empty() && event.generation().plugin() != options.plugin) continue;
    print_event(event, options.format);
  }
  return ExitCode::ok;
}

}  // namespace weir::host
