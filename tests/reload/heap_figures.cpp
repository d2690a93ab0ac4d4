// Put in front of a program by LD_PRELOAD: at SIGRTMIN + 4 it writes how many bytes of the
// process's heap are in use into the file that WEIR_HEAP_FIGURES names. Pages do not say that: an
// allocator takes and gives them back in steps, which hide what stays of one reload.
#include <malloc.h>
#include <pthread.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

sigset_t asked() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 4);
  return set;
}

void* answer(void* path) {
  const std::string name = static_cast<const char*>(path);
  const std::string next = name + ".next";
  const sigset_t set = asked();
  while (true) {
    int number = 0;
    if (sigwait(&set, &number) != 0) continue;
    const struct mallinfo2 heap = mallinfo2();
    std::FILE* const file = std::fopen(next.c_str(), "w");
    if (file == nullptr) continue;
    std::fprintf(file, "%zu\n", heap.uordblks + heap.hblkhd);
    std::fclose(file);
    std::rename(next.c_str(), name.c_str());
  }
}

/// Before main(), so that every other thread inherits that it does not take the signal.
[[gnu::constructor]] void begin() {
  char* const path = std::getenv("WEIR_HEAP_FIGURES");
  if (path == nullptr) return;
  const sigset_t set = asked();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  pthread_t thread{};
  if (pthread_create(&thread, nullptr, answer, path) == 0) pthread_detach(thread);
}

}  // namespace
