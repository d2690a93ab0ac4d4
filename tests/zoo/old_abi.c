/* The good plugin as it was built for ABI 0.1: its resolver ends where that header ended, and it
 * takes a host of its own minor only, as the SDK of that time did. */
#include "zoo.h"

#define OLD_SIZE offsetof(weir_resolver, notify)

WEIR_MANIFEST(ZOO_HEADER("0.1", "0") ZOO_RESOLVER("zoo.Count"));
ZOO_SCHEMAS
/* What lies behind the old end is not for the host to read. */
ZOO_TABLE(.struct_size = OLD_SIZE, .notify = (void*)1)
static const weir_plugin_table old_table = {ZOO_GOOD_TABLE, .abi_minor = 1};
ZOO_ENTRY((void)zoo_table; return host->abi_minor == 1 ? &old_table : NULL;)
