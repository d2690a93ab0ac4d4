/* Saves States that are no Protobuf message at all, and reads them again. */
#include "zoo.h"

static weir_status state_load(weir_instance* instance, weir_bytes bytes, uint32_t state_version,
                              weir_state** state, weir_call* call) {
  const weir_bytes absent = {NULL, 0};
  const int is_ours = bytes.size == 9 && bytes.data[0] == 0xff;
  const weir_status status =
      zoo_state_load(instance, is_ours ? absent : bytes, state_version, state, call);
  if (status == WEIR_OK && is_ours) memcpy(&(*state)->records, bytes.data + 1, 8);
  return status;
}

static weir_status state_save(weir_instance* instance, const weir_state* state, weir_bytes* bytes,
                              weir_call* call) {
  uint8_t* out = instance->host->reserve(call, 9);
  if (out == NULL) return WEIR_REJECT;
  out[0] = 0xff;
  memcpy(out + 1, &state->records, 8);
  bytes->data = out;
  bytes->size = 9;
  return WEIR_OK;
}

ZOO_PLUGIN(.state_load = state_load, .state_save = state_save)
