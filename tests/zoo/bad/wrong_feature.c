/* Its features are not of the type that the manifest says. */
#include "zoo.h"

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  const weir_bytes absent = {NULL, 0};
  (void)message;
  ++state->records;
  uint8_t* out = instance->host->emit(call, 0, absent, 3);
  if (out == NULL) return WEIR_REJECT;
  memset(out, 0xff, 3);
  return WEIR_OK;
}

ZOO_PLUGIN(.resolve = resolve)
