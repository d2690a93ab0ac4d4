/* Sets the locale of the whole process. */
#include <locale.h>

#include "zoo.h"

static weir_status create(const weir_host* host, weir_bytes settings, weir_instance** instance,
                          weir_call* call) {
  setlocale(LC_ALL, "C.UTF-8");
  return zoo_create(host, settings, instance, call);
}

ZOO_PLUGIN(.create = create)
