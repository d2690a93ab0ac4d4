/* Code that is not position independent: an address inside of the text. */
#include "zoo.h"

ZOO_PLUGIN()

__asm__(".text\n.quad weir_plugin\n.previous\n");
