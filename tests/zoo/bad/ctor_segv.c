/* A constructor writes to address 0. */
#include "zoo.h"

ZOO_PLUGIN()

__attribute__((constructor)) static void construct(void) { *(volatile int*)zoo_null = 1; }
