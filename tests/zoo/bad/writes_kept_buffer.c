/* Keeps what emit() gave it, and writes there in the next call. */
#include "zoo.h"

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  static volatile uint8_t* kept;
  uint8_t encoded[11];
  const weir_bytes absent = {NULL, 0};
  const size_t size = zoo_encode(++state->records, encoded);
  (void)message;
  if (kept != NULL) kept[1] = 0x7f;
  uint8_t* out = instance->host->emit(call, 0, absent, size);
  if (out == NULL) return WEIR_REJECT;
  memcpy(out, encoded, size);
  kept = out;
  return WEIR_OK;
}

ZOO_PLUGIN(.resolve = resolve)
