/* Migrates by adding: twice, where older code has had the State in between. */
#include "zoo.h"

static weir_status state_load(weir_instance* instance, weir_bytes bytes, uint32_t state_version,
                              weir_state** state, weir_call* call) {
  const weir_status status = zoo_state_load(instance, bytes, state_version, state, call);
  if (status == WEIR_OK && bytes.data != NULL && state_version < 2) (*state)->records += 1000;
  return status;
}

WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "0") ZOO_VERSIONED_RESOLVER("2 1"));
ZOO_SCHEMAS
ZOO_TABLE(.state_load = state_load)
ZOO_ENTRY(return &zoo_table;)
