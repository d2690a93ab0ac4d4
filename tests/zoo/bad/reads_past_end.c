/* Takes a record's bytes for a string that is ended by a NUL. */
#include "zoo.h"

static weir_status prepare(weir_instance* instance, const weir_records* records,
                           weir_prepared* prepared, size_t prepared_size, weir_batch** batch,
                           weir_call* call) {
  for (size_t i = 0; i < records->count; ++i) {
    const volatile uint8_t* at = zoo_record(records, i)->value.data;
    while (at != NULL && *at != 0) ++at;
  }
  return zoo_prepare(instance, records, prepared, prepared_size, batch, call);
}

ZOO_PLUGIN(.prepare = prepare)
