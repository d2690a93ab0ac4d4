/* A gigabyte of features for each record, and no look at what emit() says. */
#include "zoo.h"

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  const weir_bytes absent = {NULL, 0};
  for (int i = 0; i < 1024; ++i) {
    uint8_t* out = instance->host->emit(call, 0, absent, 1 << 20);
    if (out != NULL) memset(out, 1, 1 << 20);
  }
  return zoo_resolve(instance, message, state, call);
}

ZOO_PLUGIN(.resolve = resolve)
