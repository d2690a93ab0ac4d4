/* The state version is missing. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "0") "resolver count\nstate zoo.Count\n");
ZOO_SCHEMAS
ZOO_TABLE()
ZOO_ENTRY(return &zoo_table;)
