/* Names types and brings no descriptors. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_MANIFEST_TEXT);
ZOO_TABLE()
ZOO_ENTRY(return &zoo_table;)
