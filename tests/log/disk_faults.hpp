#pragma once

#include <functional>
#include <string_view>

namespace weir::test {

/// Stands between LMDB and the disk: this binary has its own pwrite(), writev() and fdatasync(),
/// which are what LMDB writes its file with.
///
/// While one of these lives, `before` is called before each of them, with its name; it returns 0 to
/// let the call happen, or the errno with which it fails instead. One at a time, one thread.
class DiskFaults {
 public:
  explicit DiskFaults(std::function<int(std::string_view call)> before);
  ~DiskFaults();
  DiskFaults(const DiskFaults&) = delete;
  DiskFaults& operator=(const DiskFaults&) = delete;
};

}  // namespace weir::test
