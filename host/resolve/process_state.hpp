#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weir::host {

/// What a library can change in the process that it runs in.
struct ProcessState {
  static ProcessState now();

  /// What is different in `later`, in words.
  std::vector<std::string> changes(const ProcessState& later) const;

  std::size_t threads = 0;
  std::map<int, std::string> files;  ///< by descriptor
  std::array<std::uintptr_t, 65> signal_handlers{};
  std::array<bool, 65> signals_blocked{};  ///< in the calling thread
  std::string locale;
  std::string directory;
  std::string environment;
  unsigned file_mode_mask = 0;
  int rounding = 0;
};

/// Memory of this process.
struct MemoryUse {
  static MemoryUse now();

  std::int64_t heap_bytes = 0;      ///< that malloc() has given out
  std::int64_t resident_bytes = 0;  ///< of all kinds
  /// A sanitizer's quarantine and shadow memory grow by themselves.
  static const bool resident_is_exact;
};

}  // namespace weir::host
