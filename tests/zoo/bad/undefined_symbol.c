/* Calls a function that no library has. */
#include "zoo.h"

extern int zoo_nowhere(void);

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  if (zoo_nowhere() != 0) return WEIR_FATAL;
  return zoo_resolve(instance, message, state, call);
}

ZOO_PLUGIN(.resolve = resolve)
