/* Each instance leaves a kilobyte behind. */
#include "zoo.h"

static weir_status create(const weir_host* host, weir_bytes settings, weir_instance** instance,
                          weir_call* call) {
  char* volatile lost = malloc(1024);
  if (lost != NULL) lost[0] = 1;
  return zoo_create(host, settings, instance, call);
}

ZOO_PLUGIN(.create = create)
