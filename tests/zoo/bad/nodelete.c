/* Linked with -z nodelete. */
#include "zoo.h"

ZOO_PLUGIN()
