/* Built against a later <weir/abi.h>. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_HEADER("1.99", "0") ZOO_RESOLVER("zoo.Count"));
ZOO_SCHEMAS
ZOO_TABLE()
ZOO_ENTRY(return &zoo_table;)
