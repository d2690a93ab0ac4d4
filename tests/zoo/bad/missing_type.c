/* The State's type is not among the schemas. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "0") ZOO_RESOLVER("zoo.Missing"));
ZOO_SCHEMAS
ZOO_TABLE()
ZOO_ENTRY(return &zoo_table;)
