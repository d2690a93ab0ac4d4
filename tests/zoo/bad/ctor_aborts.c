/* A static constructor ends the process by abort(). */
#include "zoo.h"

__attribute__((constructor)) static void at_load(void) { abort(); }

ZOO_PLUGIN()
