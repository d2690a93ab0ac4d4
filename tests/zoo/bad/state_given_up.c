/* A resolver that had State has none any more. */
#include "zoo.h"

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  (void)message;
  (void)state;
  return zoo_emit(instance, call, 1);
}

WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "0") "resolver count\nfeature counts zoo.Count\n");
ZOO_SCHEMAS
ZOO_TABLE(.state_load = NULL, .state_save = NULL, .state_free = NULL, .resolve = resolve)
ZOO_ENTRY(return &zoo_table;)
