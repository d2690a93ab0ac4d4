/* Like smashes_heap, but only where a record says so: no check has such a record. */
#include "zoo.h"

static weir_status prepare(weir_instance* instance, const weir_records* records,
                           weir_prepared* prepared, size_t prepared_size, weir_batch** batch,
                           weir_call* call) {
  const weir_status status = zoo_prepare(instance, records, prepared, prepared_size, batch, call);
  for (size_t i = 0; i < records->count; ++i) {
    const weir_bytes value = zoo_record(records, i)->value;
    const int smashes = value.size == 5 && memcmp(value.data, "smash", 5) == 0;
    /* No messages of its own: a pointer that is not NULL is enough. */
    zoo_prepared(prepared, prepared_size, i)->message = smashes ? (weir_message*)instance : NULL;
  }
  return status;
}

static weir_status resolve(weir_instance* instance, const weir_message* message, weir_state* state,
                           weir_call* call) {
  if (message != NULL) {
    enum { size = 4096 };
    volatile char* const block = malloc(size);
    if (block == NULL) return WEIR_REJECT;
    for (size_t i = 0; i < size + 64; ++i) block[i] = 'x';
    free((void*)block);
  }
  return zoo_resolve(instance, message, state, call);
}

ZOO_PLUGIN(.prepare = prepare, .resolve = resolve)
