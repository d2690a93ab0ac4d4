#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/logger.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "decode/decoder.hpp"
#include "resolve/plugin.hpp"
#include "supervise/journal.hpp"
#include "task/task.hpp"

namespace weir::host {

/// What of an app depends on the builds of its plugins: the YAML's words against what a build
/// offers. AppSchemas has checked that they fit.

/// `plugin/resolver`, whose form the configuration has checked.
struct Use {
  std::string plugin;
  std::string resolver;
};
Use split_use(const std::string& use);

/// Loads one file; its lines go to the logger under `name`. The journal, if there is one, knows of
/// it until it is unloaded, and outlives it. [control]
Result<std::shared_ptr<Plugin>> load_plugin(const std::filesystem::path& file,
                                            const std::string& name,
                                            const std::filesystem::path& copies, Logger& logger,
                                            Journal* journal);

/// Of the app's resolver `name`, with the code that `plugin` has for it.
Result<std::string> settings_of(const Config& config, const std::string& name,
                                const Plugin& plugin);
Result<std::unique_ptr<Decoder>> decoder_of(const Config& config, const std::string& name,
                                            const Plugin& plugin);
std::vector<ResolverOutput> outputs_of(const Config& config, const std::string& name,
                                       const Plugin& plugin,
                                       const std::vector<std::string>& sink_names);

/// The same two for a build that was not loaded; `type` finds the descriptor of a message.
using FindType = std::function<const google::protobuf::Descriptor*(const std::string&)>;
Result<std::string> settings_of(const Config& config, const std::string& name,
                                const Manifest::Resolver& offer, const FindType& type);
Result<std::unique_ptr<Decoder>> decoder_of(const Config& config, const std::string& name,
                                            const Manifest::Resolver& offer, const FindType& type);

/// What the resolvers of `task` that use the plugin bring along in this build of it; `type` finds
/// the descriptor of a message by its full name.
std::vector<ResolverSchema> schemas_of(const Task& task, const Manifest& manifest,
                                       const FindType& type);
std::vector<ResolverSchema> schemas_of(const Task& task, const Plugin& plugin);

/// All that `task` needs to go over to `plugin`; empty resolvers: it does not use it. Creates the
/// instances. Errc::config: settings are refused. Errc::refused: Task::check_builds(). [control]
Result<TaskBuilds> builds_of(const Config& config, const Task& task,
                             const std::shared_ptr<Plugin>& plugin);

}  // namespace weir::host
