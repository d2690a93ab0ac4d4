/* Waits for the end of a text that has none. */
#include "zoo.h"

static weir_status prepare(weir_instance* instance, const weir_records* records,
                           weir_prepared* prepared, size_t prepared_size, weir_batch** batch,
                           weir_call* call) {
  for (size_t i = 0; i < records->count; ++i) {
    const weir_bytes value = zoo_record(records, i)->value;
    volatile size_t at = 0;
    while (at < value.size) {
      if (value.data[at] < 0x80) ++at;
    }
  }
  return zoo_prepare(instance, records, prepared, prepared_size, batch, call);
}

ZOO_PLUGIN(.prepare = prepare)
