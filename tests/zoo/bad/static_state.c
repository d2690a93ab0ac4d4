/* Counts in a static variable, which a restart forgets and other instances share. */
#include "zoo.h"

static uint64_t records;

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  (void)message;
  state->records = ++records;
  return zoo_emit(instance, call, state->records);
}

ZOO_PLUGIN(.resolve = resolve)
