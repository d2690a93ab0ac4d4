// A thread_local with a destructor: the library stays mapped as long as a thread lives that has
// touched it.
#include <weir/abi.h>

namespace {
struct Scratch {
  ~Scratch() { *this_is_used = 0; }
  volatile int* this_is_used = new int(1);
};
thread_local Scratch scratch;
}  // namespace

struct Touch {
  Touch() { *scratch.this_is_used = 2; }
};
static const Touch touch;
