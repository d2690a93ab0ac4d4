#include "app/command_run.hpp"

#include "app/output.hpp"

namespace weir::host {

ExitCode command_run(const RunOptions& /*options*/) {
  return fail(error(Errc::internal, "this build has no `run` yet"));
}

}  // namespace weir::host
