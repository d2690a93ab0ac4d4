#include "base/journal_line.hpp"

#include <unistd.h>

namespace weir::host {

static_assert(sizeof(JournalLine) == 64 && std::atomic<std::uint64_t>::is_always_lock_free);

std::int32_t thread_number() {
  thread_local const std::int32_t number = ::gettid();
  return number;
}

}  // namespace weir::host
