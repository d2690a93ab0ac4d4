#pragma once

namespace weir::host {

/// Prints where and what, and aborts. For bugs of ours only; bad input is an Error.
[[noreturn]] void assertion_failed(const char* file, int line, const char* condition,
                                   const char* what);

}  // namespace weir::host

/// On in release builds too: a host that commits State must not go on after a wrong assumption.
#define WEIR_ASSERT(condition, what) \
  ((condition) ? (void)0 : ::weir::host::assertion_failed(__FILE__, __LINE__, #condition, what))
