/* All but weir_plugin(), which a C++ file has. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_MANIFEST_TEXT);
ZOO_SCHEMAS
