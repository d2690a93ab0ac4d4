#include "reload/refusal.hpp"

namespace weir::host {

std::string_view name_of(ReloadCode code) {
  switch (code) {
#define WEIR_CODE(name)  \
  case ReloadCode::name: \
    return #name
    WEIR_CODE(unknown_plugin);
    WEIR_CODE(no_previous);
    WEIR_CODE(nothing_loaded);
    WEIR_CODE(stopping);
    WEIR_CODE(busy);
    WEIR_CODE(unreadable);
    WEIR_CODE(writable_by_others);
    WEIR_CODE(hash_mismatch);
    WEIR_CODE(no_room);
    WEIR_CODE(file);
    WEIR_CODE(exports);
    WEIR_CODE(unload);
    WEIR_CODE(runtime);
    WEIR_CODE(protobuf);
    WEIR_CODE(manifest);
    WEIR_CODE(abi);
    WEIR_CODE(schemas);
    WEIR_CODE(libraries);
    WEIR_CODE(imports);
    WEIR_CODE(other_plugin);
    WEIR_CODE(missing_resolver);
    WEIR_CODE(missing_output);
    WEIR_CODE(message_type);
    WEIR_CODE(settings);
    WEIR_CODE(state_schema);
    WEIR_CODE(crashed);
    WEIR_CODE(hangs);
    WEIR_CODE(exited);
    WEIR_CODE(does_not_load);
    WEIR_CODE(stays_mapped);
    WEIR_CODE(process_changed);
    WEIR_CODE(settings_refused);
    WEIR_CODE(state_unreadable);
    WEIR_CODE(state_lost);
    WEIR_CODE(record_fails);
    WEIR_CODE(table_refused);
    WEIR_CODE(too_many_pinned);
    WEIR_CODE(task_halted);
    WEIR_CODE(timeout);
    WEIR_CODE(too_many_rejects);
    WEIR_CODE(too_slow);
    WEIR_CODE(operator_asked);
    WEIR_CODE(worker_ended);
#undef WEIR_CODE
  }
  return "";
}

}  // namespace weir::host
