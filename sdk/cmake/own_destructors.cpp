// Linked into every C++ plugin. libc remembers the destructor of each static in a list whose
// entries it takes back from the newest end alone. Where builds take turns, the one that runs is
// always at that end: each build before it would leave its entries there for ever. So a plugin
// keeps its own list, and what it holds goes with the file.
#include <atomic>
#include <cstdlib>

namespace {

struct Destructor {
  void (*run)(void*);
  void* object;
  Destructor* before;
};

constinit std::atomic<Destructor*> newest{nullptr};

/// Newest first. A destructor may make another static, whose own then comes next.
/// 101: after every destructor function of the plugin's own, as libc would.
[[gnu::destructor(101)]] void run_destructors() {
  while (Destructor* const last = newest.load()) {
    newest.store(last->before);
    last->run(last->object);
    std::free(last);
  }
}

}  // namespace

/// What the compiler calls for each static, from any thread, and what std::atexit() calls. The
/// linker prefers it to libc's for all that is linked into the plugin, and the plugin does not
/// export it.
extern "C" [[gnu::visibility("hidden"), gnu::used]] int __cxa_atexit(void (*run)(void*),
                                                                     void* object, void*) noexcept {
  auto* const added = static_cast<Destructor*>(std::malloc(sizeof(Destructor)));
  if (added == nullptr) return -1;
  added->run = run;
  added->object = object;
  added->before = newest.load();
  while (!newest.compare_exchange_weak(added->before, added)) {
  }
  return 0;
}
