/* A constructor never returns. */
#include "zoo.h"

ZOO_PLUGIN()

static volatile int go_on = 1;
__attribute__((constructor)) static void construct(void) {
  while (go_on) {
  }
}
