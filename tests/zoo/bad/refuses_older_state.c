/* Raises the State's version and forgets those of before. */
#include "zoo.h"

static weir_status state_load(weir_instance* instance, weir_bytes bytes, uint32_t state_version,
                              weir_state** state, weir_call* call) {
  if (bytes.data != NULL && state_version < 2) {
    static const char reason[] = "States of version 1 are not known here";
    instance->host->set_reason(call, reason, sizeof reason - 1);
    return WEIR_REJECT;
  }
  return zoo_state_load(instance, bytes, state_version, state, call);
}

WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "0") ZOO_VERSIONED_RESOLVER("2"));
ZOO_SCHEMAS
ZOO_TABLE(.state_load = state_load)
ZOO_ENTRY(return &zoo_table;)
