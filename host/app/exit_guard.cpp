// A plugin that ends the process from inside a call ends it at once, and leaves a mark. These stand
// in front of the C library's own; what the host itself ends goes on to those.
#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "supervise/crash_handler.hpp"

#ifndef WEIR_SANITIZED

namespace {

[[noreturn]] void end_now(int code) {
  while (true) ::syscall(SYS_exit_group, code);
}

// Destructors of statics must not run while other threads use them.
[[noreturn]] void end(int code, const char* name) {
  if (!weir::host::note_exit(code)) {
    if (void* const real = ::dlsym(RTLD_NEXT, name)) reinterpret_cast<void (*)(int)>(real)(code);
  }
  end_now(code);
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) void exit(int code) noexcept { end(code, "exit"); }
__attribute__((visibility("default"))) void quick_exit(int code) noexcept {
  end(code, "quick_exit");
}
__attribute__((visibility("default"))) void _exit(int code) {
  weir::host::note_exit(code);
  end_now(code);
}
__attribute__((visibility("default"))) void _Exit(int code) noexcept {
  weir::host::note_exit(code);
  end_now(code);
}

}  // extern "C"

#endif
