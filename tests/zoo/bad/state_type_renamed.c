/* Another State type, that looks the same. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "0") ZOO_RESOLVER("zoo.Tally"));
ZOO_SCHEMAS
ZOO_TABLE()
ZOO_ENTRY(return &zoo_table;)
