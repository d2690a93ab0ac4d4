#pragma once

#include "resolve/plugin_check.hpp"
#include "resolve/plugin_checks.hpp"

namespace weir::host {

/// What the two files say of their States, without running any of their code: types that do not go
/// together, versions of which one cannot be read, resolvers that begin or cease to have State or
/// timers. A line each, naming the resolver and the field.
CheckResult compare_with_previous(const PluginFile& before, const PluginFile& now,
                                  const StateConflicts& conflicts);

/// States that the build before makes of random records are read by this one (and migrated where
/// their version is older), and records go on from there.
void check_previous_states(const CheckSubject& subject, CheckFindings& findings);

/// What this build makes of such States, and of records, is read by the build before, as far as the
/// plugin says so; nothing that one of them does not know is lost, and the build before goes on as
/// if it had never been replaced.
void check_rollback(const CheckSubject& subject, CheckFindings& findings);

}  // namespace weir::host
