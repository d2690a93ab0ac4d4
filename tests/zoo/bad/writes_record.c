/* Writes through a pointer to const: the record's bytes are the host's, and may be its log's. */
#include "zoo.h"

static weir_status prepare(weir_instance* instance, const weir_records* records,
                           weir_prepared* prepared, size_t prepared_size, weir_batch** batch,
                           weir_call* call) {
  for (size_t i = 0; i < records->count; ++i) {
    const weir_bytes value = zoo_record(records, i)->value;
    if (value.size > 0) ((volatile uint8_t*)value.data)[0] |= 0x20;
  }
  return zoo_prepare(instance, records, prepared, prepared_size, batch, call);
}

ZOO_PLUGIN(.prepare = prepare)
