/* Writes beyond the end of a block from malloc(): the heap finds it out when the block is freed. */
#include "zoo.h"

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  enum { size = 4096 };
  volatile char* const block = malloc(size);
  if (block == NULL) return WEIR_REJECT;
  for (size_t i = 0; i < size + 64; ++i) block[i] = 'x';
  free((void*)block);
  return zoo_resolve(instance, message, state, call);
}

ZOO_PLUGIN(.resolve = resolve)
