/* The entry function has another name. */
#define weir_plugin my_plugin
#include "zoo.h"

ZOO_PLUGIN()
