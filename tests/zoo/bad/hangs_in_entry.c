/* Never comes back from weir_plugin(). */
#include "zoo.h"

WEIR_MANIFEST(ZOO_MANIFEST_TEXT);
ZOO_SCHEMAS
ZOO_TABLE()
ZOO_ENTRY(for (volatile int i = 1; i != 0;) {} return &zoo_table;)
