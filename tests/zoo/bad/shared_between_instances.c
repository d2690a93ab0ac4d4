/* Starts anew with each instance, but all instances share one count. */
#include "zoo.h"

static uint64_t records;

static weir_status create(const weir_host* host, weir_bytes settings, weir_instance** instance,
                          weir_call* call) {
  records = 0;
  return zoo_create(host, settings, instance, call);
}

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  (void)message;
  state->records = ++records;
  return zoo_emit(instance, call, state->records);
}

ZOO_PLUGIN(.create = create, .resolve = resolve)
