/* Its resolver's struct ends before the slots that the host calls. */
#include "zoo.h"

ZOO_PLUGIN(.struct_size = offsetof(weir_resolver, resolve))
