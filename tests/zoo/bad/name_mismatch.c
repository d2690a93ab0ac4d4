/* The table and the manifest name different resolvers. */
#include "zoo.h"

ZOO_PLUGIN(.name = "other")
