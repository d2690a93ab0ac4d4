/* Crashes while it migrates. */
#include "zoo.h"

static weir_status state_load(weir_instance* instance, weir_bytes bytes, uint32_t state_version,
                              weir_state** state, weir_call* call) {
  if (bytes.data != NULL && state_version < 2) *(volatile int*)zoo_null = 1;
  return zoo_state_load(instance, bytes, state_version, state, call);
}

WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "0") ZOO_VERSIONED_RESOLVER("2"));
ZOO_SCHEMAS
ZOO_TABLE(.state_load = state_load)
ZOO_ENTRY(return &zoo_table;)
