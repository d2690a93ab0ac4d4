/* Sets a variable for the whole process. */
#define _POSIX_C_SOURCE 200809L

#include "zoo.h"

static weir_status create(const weir_host* host, weir_bytes settings, weir_instance** instance,
                          weir_call* call) {
  setenv("ZOO", "was here", 1);
  return zoo_create(host, settings, instance, call);
}

ZOO_PLUGIN(.create = create)
