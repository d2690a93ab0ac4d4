/* Its manifest promises a handler of timers. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "0") ZOO_TIMED_RESOLVER);
ZOO_SCHEMAS
ZOO_TABLE()
ZOO_ENTRY(return &zoo_table;)
