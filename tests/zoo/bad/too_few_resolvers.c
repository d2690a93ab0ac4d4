/* The manifest promises more resolvers than the table has. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_MANIFEST_TEXT "resolver second\n");
ZOO_SCHEMAS
ZOO_TABLE()
ZOO_ENTRY(return &zoo_table;)
