#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::host {

/// The steps of a reload, in their order. Each can refuse, and none before `swap` touches what
/// runs.
enum class ReloadStep { request, stage, lint, fit, schema, probe, load, swap, probation };

constexpr std::string_view name_of(ReloadStep step) {
  constexpr std::string_view names[] = {"request", "stage", "lint", "fit",      "schema",
                                        "probe",   "load",  "swap", "probation"};
  return names[static_cast<std::size_t>(step)];
}

/// Why a step refuses: for programs; the text that goes with it is for people. docs/reload.md
/// explains each.
enum class ReloadCode {
  // request
  unknown_plugin,
  no_previous,
  nothing_loaded,
  stopping,
  busy,
  // stage
  unreadable,
  writable_by_others,
  hash_mismatch,
  no_room,
  // lint
  file,
  exports,
  unload,
  runtime,
  protobuf,
  manifest,
  abi,
  schemas,
  libraries,
  imports,
  // fit
  other_plugin,
  missing_resolver,
  missing_output,
  message_type,
  settings,
  // schema
  state_schema,
  // probe
  crashed,
  hangs,
  exited,
  does_not_load,
  stays_mapped,
  process_changed,
  settings_refused,
  state_unreadable,
  state_lost,
  record_fails,
  // load
  table_refused,
  too_many_pinned,
  // swap
  task_halted,
  timeout,
  // probation
  too_many_rejects,
  too_slow,  ///< the probe's, too
  operator_asked,
  worker_ended,
};

std::string_view name_of(ReloadCode code);

/// A reload that did not happen; what ran before runs on.
struct Refusal {
  ReloadStep step = ReloadStep::request;
  ReloadCode code = ReloadCode::unknown_plugin;
  std::string text;
  std::string plugin;   ///< empty: it is not about one
  std::string running;  ///< the version that runs on
};

}  // namespace weir::host
