/* A constructor ends the process as if all were well. */
#include "zoo.h"

ZOO_PLUGIN()

__attribute__((constructor)) static void construct(void) { exit(0); }
