/* Answers with a status that does not exist. */
#include "zoo.h"

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  zoo_resolve(instance, message, state, call);
  return 77;
}

ZOO_PLUGIN(.resolve = resolve)
