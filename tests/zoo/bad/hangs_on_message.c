/* Never comes back from resolve(). */
#include "zoo.h"

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  for (volatile int i = 1; i != 0;) {
  }
  return zoo_resolve(instance, message, state, call);
}

ZOO_PLUGIN(.resolve = resolve)
