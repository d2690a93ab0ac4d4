/* Compiled with -ftls-model=initial-exec. */
#include "zoo.h"

static __thread uint64_t calls;

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  ++calls;
  return zoo_resolve(instance, message, state, call);
}

ZOO_PLUGIN(.resolve = resolve)
