/* Has a State that cannot be saved. */
#include "zoo.h"

ZOO_PLUGIN(.state_save = NULL)
