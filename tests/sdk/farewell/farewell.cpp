// Its statics say goodbye: each destructor writes a letter to the file descriptor that the record
// names.
#include <weir/sdk.h>

#include <unistd.h>

#include <cstdlib>

#include "counter.pb.h"

namespace {

int said_to = -1;

struct Static {
  explicit Static(char with) : letter(with) {}
  ~Static() { say(letter); }
  static void say(char letter) {
    if (said_to >= 0 && ::write(said_to, &letter, 1) != 1) std::abort();
  }
  char letter;
};

Static first('1');
Static second('2');

/// Its destructor makes another static.
struct Late {
  ~Late() {
    Static::say('L');
    static Static made_at_the_end('e');
  }
} late;

[[gnu::destructor]] void before_all_statics() { Static::say('f'); }

void remember(std::string_view descriptor) {
  said_to = std::stoi(std::string(descriptor));
  static Static of_a_call('c');
#ifdef __SANITIZE_THREAD__  // whose std::atexit() is not libc's
  static Static at_the_end('a');
#else
  if (std::atexit([] { Static::say('a'); }) != 0) std::abort();
#endif
}

WEIR_PLUGIN("farewell", "1.0.0", weir::resolver<remember>("remember"));

}  // namespace
