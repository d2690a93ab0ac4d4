/* prepare() cannot ask for a retry. */
#include "zoo.h"

static weir_status prepare(weir_instance* instance, const weir_records* records,
                           weir_prepared* prepared, size_t prepared_size, weir_batch** batch,
                           weir_call* call) {
  (void)instance;
  (void)batch;
  (void)call;
  for (size_t i = 0; i < records->count; ++i) {
    zoo_prepared(prepared, prepared_size, i)->verdict = WEIR_RETRY;
  }
  return WEIR_OK;
}

ZOO_PLUGIN(.prepare = prepare)
