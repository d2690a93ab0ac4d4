#pragma once

#include <cstddef>
#include <string_view>

namespace weir::host {

/// What a plugin is shown while it is tried. Each piece has pages of its own, with an unreadable
/// one behind its last byte. While it is shown it can only be read; afterwards not even that, as
/// long as this object lives. So a read past the end, a write, and a pointer that was kept end the
/// process where they happen, and not much later in other code. [one thread]
class GuardedMemory {
 public:
  GuardedMemory();
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  /// A copy, shown from now on; aligned to 8 where the size is a multiple of that. Absent stays
  /// absent. After a gigabyte there is no more room: then `bytes` themselves.
  std::string_view show(std::string_view bytes);

  /// Where the next piece will lie.
  std::size_t end() const { return used_pages_; }

  /// The pieces from one end() to another are not shown any more.
  void hide(std::size_t begin, std::size_t end);

 private:
  char* base_ = nullptr;
  std::size_t used_pages_ = 0;
};

/// What is shown from here to the end of the scope. Without a memory, nothing.
class Showing {
 public:
  explicit Showing(GuardedMemory* memory)
      : memory_(memory), begin_(memory == nullptr ? 0 : memory->end()) {}
  ~Showing() {
    if (memory_ != nullptr) memory_->hide(begin_, memory_->end());
  }
  Showing(const Showing&) = delete;
  Showing& operator=(const Showing&) = delete;

 private:
  GuardedMemory* memory_;
  std::size_t begin_;
};

/// From now on a forbidden access to guarded memory is explained on `descriptor`, as the line
/// "NONCE cause TEXT", before it ends the process by SIGSEGV. Once a process.
void explain_faults(int descriptor, std::string_view nonce);

}  // namespace weir::host
