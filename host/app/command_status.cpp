#include "app/command_status.hpp"

#include <optional>

#include "admin/admin.hpp"
#include "admin/client.hpp"
#include "app/status_table.hpp"
#include "commit/state_directory.hpp"
#include "config/config.hpp"

namespace weir::host {
namespace {

Result<std::filesystem::path> state_of(const StatusOptions& options) {
  if (!options.directory.empty()) return options.directory;
  if (options.config.empty()) {
    return error(Errc::usage,
                 "say which host: weir status app.yaml, or --state and its state directory");
  }
  WEIR_TRY(const auto config, Config::load(options.config));
  return config.resolve_path(config.app().state().path());
}

/// What can be looked at without a host.
std::string offline_commands(const StatusOptions& options) {
  if (options.config.empty() || !options.directory.empty()) {
    return fmt::format("`weir state list --state {0}` and `weir consume TOPIC --log {0}/log`",
                       options.directory.string());
  }
  return fmt::format("`weir state list -c {0}` and `weir deadletters list -c {0}`",
                     options.config.string());
}

Error nobody(const StatusOptions& options, const std::filesystem::path& state) {
  if (const auto holder = StateDirectory::holder(state)) {
    return error(Errc::unavailable,
                 "{} runs in {}, but it does not say where it answers: admin.listen is off, or it "
                 "is still starting",
                 *holder, state.string());
  }
  return error(Errc::unavailable, "no host runs in {}; its State and log can be looked at by {}",
               state.string(), offline_commands(options));
}

Result<std::string> ask(const StatusOptions& options) {
  WEIR_TRY(const std::filesystem::path state, state_of(options));
  WEIR_TRY(const auto address, read_admin_address(state));
  if (!address) return nobody(options, state);
  auto answer = http_get(*address, "/status");
  if (!answer && answer.error().code == Errc::not_found) return nobody(options, state);
  if (!answer) return std::move(answer).error();
  if (answer->status != 200) {
    return error(Errc::unavailable, "{} answers with status {}; is it a host?", address->text(),
                 answer->status);
  }
  return std::move(answer->body);
}

}  // namespace

ExitCode command_status(const StatusOptions& options) {
  const auto json = ask(options);
  if (!json) return fail(json.error());
  const auto table = StatusTable::read(*json);
  if (!table) return fail(table.error());
  std::string_view text = options.format == OutputFormat::json ? *json : table->text();
  while (text.ends_with('\n')) text.remove_suffix(1);
  print_line(text);
  return table->ready() ? ExitCode::ok : ExitCode::failed;
}

}  // namespace weir::host
