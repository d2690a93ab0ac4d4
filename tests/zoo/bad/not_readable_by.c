/* Says that code of version 1 reads its States, which count in thousandths. */
#include "zoo.h"

static weir_status state_load(weir_instance* instance, weir_bytes bytes, uint32_t state_version,
                              weir_state** state, weir_call* call) {
  const weir_status status = zoo_state_load(instance, bytes, state_version, state, call);
  if (status == WEIR_OK && (*state)->records < 1000) (*state)->records *= 1000;
  return status;
}

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  (void)message;
  return zoo_emit(instance, call, (state->records += 1000) / 1000);
}

WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "0") ZOO_VERSIONED_RESOLVER("2 1"));
ZOO_SCHEMAS
ZOO_TABLE(.state_load = state_load, .resolve = resolve)
ZOO_ENTRY(return &zoo_table;)
