#include "base/signal_stack.hpp"

#include <csignal>
#include <cstddef>

namespace weir::host {

#ifdef WEIR_SANITIZED

SignalStack::SignalStack() = default;
SignalStack::~SignalStack() = default;

#else

namespace {
constexpr std::size_t stack_bytes = std::size_t{64} << 10;
}

SignalStack::SignalStack() : memory_(new char[stack_bytes]) {
  stack_t stack{};
  stack.ss_sp = memory_.get();
  stack.ss_size = stack_bytes;
  ::sigaltstack(&stack, nullptr);
}

SignalStack::~SignalStack() {
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
}

#endif

}  // namespace weir::host
