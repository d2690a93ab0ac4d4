/* Looks for the record of a timer. */
#include "zoo.h"

static weir_status notify(weir_instance* instance, int32_t clock, weir_state* state,
                          weir_call* call) {
  (void)clock;
  state->records += call->record == NULL ? *(volatile uint8_t*)zoo_null : 0;
  return zoo_emit(instance, call, state->records);
}

WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "0") ZOO_TIMED_RESOLVER);
ZOO_SCHEMAS
ZOO_TABLE(.resolve = zoo_resolve_timed, .notify = notify)
ZOO_ENTRY(return &zoo_table;)
