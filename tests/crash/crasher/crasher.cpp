// A resolver that ends its process in every way there is.
#include <weir/sdk.h>

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "crasher.pb.h"

namespace crasher {

#ifndef MENDED
volatile int zero = 0;
volatile int seven = 7;
int* volatile nothing = nullptr;

__attribute__((noinline)) std::size_t overflow(const volatile char* above) {
  volatile char page[4096];
  page[0] = above[0];
  return overflow(page) + static_cast<std::size_t>(page[0]);
}

#endif

#ifdef MENDED
void crash(const std::string&) {}
#else
void crash(const std::string& how) {
  if (how == "segv") *nothing = 1;
  if (how == "abort") std::abort();
  if (how == "fpe") zero = seven / zero;
  if (how == "ill") __builtin_trap();
  if (how == "bus") {
    const int fd = memfd_create("empty", 0);
    void* const at = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
    zero = *static_cast<volatile char*>(at);
  }
  if (how == "exit") std::exit(0);
  if (how == "_exit") _exit(3);
  if (how == "overflow") {
    const char start = 'x';
    zero = static_cast<int>(overflow(&start));
  }
  if (how == "reject") throw std::runtime_error("rejected");
  while (how == "loop") std::this_thread::yield();
  if (how == "wait") std::this_thread::sleep_for(std::chrono::seconds(2));
}
#endif

std::optional<Order> read(const Order& order) {
  if (order.when() == "prepare") crash(order.crash());
  return order;
}

weir::Result<void> check(const Settings& settings) {
  crash(settings.crash());
  return {};
}

Count work(const Order& order, Count& state, const Settings&, weir::Context& context) {
  state.set_count(state.count() + 1);
  if (order.timer_ms() != 0) {
    context.notify_at(context.arrival_time() + std::chrono::milliseconds(order.timer_ms()));
  }
  if (order.when() == "timer" || order.when() == "load") state.set_crash(order.crash());
  if (order.when() == "rebuild") {
    static bool was_called = false;
    if (std::exchange(was_called, true)) crash(order.crash());
  }
  if (order.when().empty()) {
    if (order.crash() == "smash") {
      // What saves the State will follow this pointer.
      const std::uintptr_t wild = 0x4141414141414140;
      auto* const bytes = reinterpret_cast<char*>(&state);
      for (std::size_t at = 16; at + 8 <= sizeof(state); at += 8) {
        std::memcpy(bytes + at, &wild, sizeof(wild));
      }
      return Count();
    }
    crash(order.crash());
  }
  return state;
}

Count ring(Count& state) {
  crash(state.crash());
  state.set_count(state.count() + 1000);
  return state;
}

#ifdef MIGRATES
void migrate(Count& state, int) { crash(state.crash()); }
#endif

}  // namespace crasher

WEIR_PLUGIN("crasher", "1.0.0",
            weir::resolver<crasher::work>("work")
                .key<&crasher::Order::key>()
                .parse<crasher::read>()
                .check_settings<crasher::check>()
#ifdef MIGRATES
                .state_version(2)
                .migrate<crasher::migrate>()
#endif
                .on_notify<crasher::ring>());
