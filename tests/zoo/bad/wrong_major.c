/* Built for the ABI of another major. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_HEADER("9.0", "0") ZOO_RESOLVER("zoo.Count"));
ZOO_SCHEMAS
ZOO_TABLE()
ZOO_ENTRY(return &zoo_table;)
