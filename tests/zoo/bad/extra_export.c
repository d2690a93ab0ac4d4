/* Linked without a version script: a helper is visible too. */
#include "zoo.h"

ZOO_PLUGIN()

__attribute__((visibility("default"))) int zoo_helper(void);
int zoo_helper(void) { return 1; }
