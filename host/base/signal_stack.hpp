#pragma once

#include <memory>

namespace weir::host {

/// A stack of its own for the signal handlers of the thread that makes it, so that they can run
/// when its own stack has overflowed. Ends in the same thread. Nothing under a sanitizer, which has
/// one.
class SignalStack {
 public:
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  std::unique_ptr<char[]> memory_;
};

}  // namespace weir::host
