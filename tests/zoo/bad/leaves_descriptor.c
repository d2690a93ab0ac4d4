/* Leaves a file open. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>

#include "zoo.h"

static weir_status create(const weir_host* host, weir_bytes settings, weir_instance** instance,
                          weir_call* call) {
  const int left = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (left < 0) return WEIR_REJECT;
  return zoo_create(host, settings, instance, call);
}

ZOO_PLUGIN(.create = create)
