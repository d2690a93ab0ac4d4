/* Trusts the bytes of a State. */
#include "zoo.h"

static weir_status state_load(weir_instance* instance, weir_bytes bytes, uint32_t state_version,
                              weir_state** state, weir_call* call) {
  uint64_t records = 0;
  if (!zoo_decode(bytes, &records)) *(volatile int*)zoo_null = 1;
  return zoo_state_load(instance, bytes, state_version, state, call);
}

ZOO_PLUGIN(.state_load = state_load)
