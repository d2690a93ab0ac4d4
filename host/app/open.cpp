#include "app/open.hpp"

#include <vector>

#include "config/suggest.hpp"
#include "log/embedded_log.hpp"

namespace weir::host {

Result<OpenLog> open_log(const LogOptions& options, LogAccess access) {
  if (options.config.empty() == options.directory.empty()) {
    return error(Errc::usage, "say where the log is: -c app.yaml, or --log and its directory");
  }
  OpenLog out;
  EmbeddedLog::Options log_options;
  if (options.config.empty()) {
    out.directory = options.directory;
  } else {
    WEIR_TRY(auto config, Config::load(options.config));
    const config::v1::EmbeddedLog& embedded = config.app().log().embedded();
    out.directory = config.log_directory(config.resolve_path(config.app().state().path()));
    log_options.map_bytes = embedded.map_size();
    log_options.sync = embedded.sync();
    out.config = std::move(config);
  }
  std::error_code ignored;
  if (access == LogAccess::read && !std::filesystem::exists(out.directory, ignored)) {
    return error(Errc::not_found, "there is no log in {}; `weir produce` and `weir run` make one",
                 out.directory.string());
  }
  log_options.directory = out.directory;
  WEIR_TRY(out.log, EmbeddedLog::open(log_options));
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
