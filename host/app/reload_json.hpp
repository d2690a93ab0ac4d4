#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "reload/reloader.hpp"

namespace weir::host {

/// What `weir reload` and a host say to each other.
struct ReloadCommand {
  bool every = false;  ///< every plugin whose file has changed; `one` has the timeout alone
  ReloadRequest one;
};
std::string reload_request_json(const ReloadCommand& command);
Result<ReloadCommand> read_reload_request(std::string_view json);  ///< Errc::invalid

/// What `weir plugin migrate` and a host say to each other, again and again until it is over.
struct MigrateRequest {
  std::string plugin;
  bool begin = true;  ///< false: how does it stand?
};
std::string migrate_request_json(const MigrateRequest& request);
Result<MigrateRequest> read_migrate_request(std::string_view json);  ///< Errc::invalid
using MigrateAnswer = std::variant<Migration::Progress, Refusal>;
std::string migrate_answer_json(const MigrateAnswer& answer);
Result<MigrateAnswer> read_migrate_answer(std::string_view json);  ///< Errc::invalid

std::string reload_answers_json(const std::vector<ReloadAnswer>& answers);

/// The answers for a person; `refused` tells whether any was a refusal. Errc::invalid: it is none.
struct ReloadText {
  std::string done;     ///< for stdout
  std::string refused;  ///< for stderr; empty: nothing was
};
Result<ReloadText> read_reload_answers(std::string_view json);

}  // namespace weir::host
