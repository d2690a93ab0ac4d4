#include "app/command_plugin.hpp"

namespace weir::host {

ExitCode command_plugin_inspect(const PluginOptions& /*options*/) {
  return fail(error(Errc::internal, "this build has no `plugin inspect` yet"));
}

ExitCode command_plugin_check(const PluginOptions& /*options*/) {
  return fail(error(Errc::internal, "this build has no `plugin check` yet"));
}

}  // namespace weir::host
