/* Its schemas are no FileDescriptorSet. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_MANIFEST_TEXT);
WEIR_SECTION(WEIR_SCHEMAS_SECTION) static const char schemas[] = "\xff\xff garbage";
ZOO_TABLE()
ZOO_ENTRY(return &zoo_table;)
