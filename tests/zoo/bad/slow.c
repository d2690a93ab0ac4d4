/* A tenth of a second for each record. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "zoo.h"

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  const struct timespec pause = {0, 100000000};
  nanosleep(&pause, NULL);
  return zoo_resolve(instance, message, state, call);
}

ZOO_PLUGIN(.resolve = resolve)
