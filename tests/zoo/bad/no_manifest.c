/* Has the entry function and nothing that the host can read without running it. */
#include "zoo.h"

ZOO_SCHEMAS
ZOO_TABLE()
ZOO_ENTRY(return &zoo_table;)
