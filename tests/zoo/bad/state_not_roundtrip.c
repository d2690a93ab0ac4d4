/* A State that is loaded is not the State that was saved. */
#include "zoo.h"

static weir_status state_load(weir_instance* instance, weir_bytes bytes, uint32_t state_version,
                              weir_state** state, weir_call* call) {
  const weir_status status = zoo_state_load(instance, bytes, state_version, state, call);
  if (status == WEIR_OK && bytes.size != 0) ++(*state)->records;
  return status;
}

ZOO_PLUGIN(.state_load = state_load)
