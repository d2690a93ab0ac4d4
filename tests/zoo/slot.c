/* The good plugin with one slot, ZOO_SLOT, defined elsewhere as zoo_slot(): for C++ files. */
#include "zoo.h"

extern __typeof__(*((const weir_resolver*)0)->ZOO_SLOT) zoo_slot;

#ifdef ZOO_TIMED
WEIR_MANIFEST(ZOO_HEADER(ZOO_ABI, "0") ZOO_TIMED_RESOLVER);
ZOO_SCHEMAS
ZOO_TABLE(.resolve = zoo_resolve_timed, .ZOO_SLOT = zoo_slot)
ZOO_ENTRY(return &zoo_table;)
#else
ZOO_PLUGIN(.ZOO_SLOT = zoo_slot)
#endif
