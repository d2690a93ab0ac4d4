/* The good plugin with a shutdown() from a C++ file. */
#include "zoo.h"

extern void zoo_shutdown(void);

WEIR_MANIFEST(ZOO_MANIFEST_TEXT);
ZOO_SCHEMAS
static const weir_resolver zoo_resolver = {ZOO_GOOD_RESOLVER};
static const weir_resolver* const zoo_resolvers[] = {&zoo_resolver};
static const weir_plugin_table zoo_table = {ZOO_GOOD_TABLE, .shutdown = zoo_shutdown};
ZOO_ENTRY(return &zoo_table;)
