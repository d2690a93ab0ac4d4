/* The first record of a batch is skipped as if it were a heading. */
#include "zoo.h"

static weir_status prepare(weir_instance* instance, const weir_records* records,
                           weir_prepared* prepared, size_t prepared_size, weir_batch** batch,
                           weir_call* call) {
  zoo_prepare(instance, records, prepared, prepared_size, batch, call);
  if (records->count > 0) prepared->verdict = WEIR_SKIP;
  return WEIR_OK;
}

ZOO_PLUGIN(.prepare = prepare)
