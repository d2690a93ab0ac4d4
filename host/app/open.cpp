#include "app/open.hpp"

#include <vector>

#include "app/app_log.hpp"
#include "config/suggest.hpp"
#include "log/embedded_log.hpp"

namespace weir::host {

Result<OpenLog> open_log(const LogOptions& options, LogAccess access) {
  if (options.config.empty() == options.directory.empty()) {
    return error(Errc::usage, "say where the log is: -c app.yaml, or --log and its directory");
  }
  OpenLog out;
  if (options.config.empty()) {
    out.directory = options.directory;
  } else {
    WEIR_TRY(out.config, Config::load(options.config));
    const std::filesystem::path state = out.config->resolve_path(out.config->app().state().path());
    if (out.config->app().log().has_kafka()) {
      WEIR_TRY(out.log, open_app_log(*out.config, state, nullptr));
      return out;
    }
    out.directory = out.config->log_directory(state);
  }
  std::error_code ignored;
  if (access == LogAccess::read && !std::filesystem::exists(out.directory, ignored)) {
    return error(Errc::not_found, "there is no log in {}; `weir produce` and `weir run` make one",
                 out.directory.string());
  }
  if (out.config) {
    WEIR_TRY(out.log,
             open_app_log(*out.config, out.config->resolve_path(out.config->app().state().path()),
                          nullptr));
  } else {
    WEIR_TRY(out.log, EmbeddedLog::open({.directory = out.directory}));
  }
  return out;
}

Result<TopicInfo> find_topic(Log& log, const std::string& name) {
  WEIR_TRY(const auto found, log.topic(name));
  if (found) return *found;
  WEIR_TRY(const auto topics, log.topics());
  std::vector<std::string> names;
  for (const TopicInfo& topic : topics) names.push_back(topic.name);
  const std::string hint =
      names.empty() ? "the log has no topics yet" : suggestion(name, names, "topics");
  return error(Errc::not_found, "there is no topic {}; {}", name, hint);
}

}  // namespace weir::host
