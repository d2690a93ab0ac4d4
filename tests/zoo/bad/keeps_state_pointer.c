/* Keeps a pointer to a State's stored bytes, and reads it when records come. */
#include "zoo.h"

static const volatile uint8_t* kept;

static weir_status state_load(weir_instance* instance, weir_bytes bytes, uint32_t state_version,
                              weir_state** state, weir_call* call) {
  if (bytes.size > 0) kept = bytes.data;
  return zoo_state_load(instance, bytes, state_version, state, call);
}

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  if (kept != NULL) (void)*kept;
  return zoo_resolve(instance, message, state, call);
}

ZOO_PLUGIN(.state_load = state_load, .resolve = resolve)
