/* Does not want this host. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_MANIFEST_TEXT);
ZOO_SCHEMAS
ZOO_ENTRY(return NULL;)
