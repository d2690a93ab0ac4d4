/* Built with a Protobuf that is not the host's. */
#include "zoo.h"

WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "4025001") ZOO_RESOLVER("zoo.Count"));
ZOO_SCHEMAS
ZOO_TABLE()
ZOO_ENTRY(return &zoo_table;)
