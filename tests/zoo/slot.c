/* The good plugin with one slot, ZOO_SLOT, defined elsewhere as zoo_slot(): for C++ files. */
#include "zoo.h"

extern __typeof__(*((const weir_resolver*)0)->ZOO_SLOT) zoo_slot;

ZOO_PLUGIN(.ZOO_SLOT = zoo_slot)
