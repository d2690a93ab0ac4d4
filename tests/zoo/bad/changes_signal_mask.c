/* Blocks a signal in the thread of the host. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <signal.h>

#include "zoo.h"

static weir_status create(const weir_host* host, weir_bytes settings, weir_instance** instance,
                          weir_call* call) {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &blocked, NULL);
  return zoo_create(host, settings, instance, call);
}

ZOO_PLUGIN(.create = create)
