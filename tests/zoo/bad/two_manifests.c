/* Two plugins linked into one file. */
#include "zoo.h"

ZOO_PLUGIN()

WEIR_SECTION(WEIR_MANIFEST_SECTION) static const char second[] = ZOO_MANIFEST_TEXT;
