/* Accepted by every step: what the others are compared with. */
#include "zoo.h"

ZOO_PLUGIN()
