/* Leaves a thread behind. It waits outside of the library, so that it survives the unloading. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <unistd.h>

#include "zoo.h"

static weir_status create(const weir_host* host, weir_bytes settings, weir_instance** instance,
                          weir_call* call) {
  static int started;
  pthread_t thread;
  if (!started &&
      pthread_create(&thread, NULL, (void* (*)(void*))(void (*)(void))pause, NULL) == 0) {
    started = pthread_detach(thread) == 0;
  }
  return zoo_create(host, settings, instance, call);
}

ZOO_PLUGIN(.create = create)
