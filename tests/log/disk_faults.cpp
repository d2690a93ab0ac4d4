#include "log/disk_faults.hpp"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace weir::test {
namespace {

std::function<int(std::string_view)>& hook() {
  static std::function<int(std::string_view)> function;
  return function;
}

template <typename... Args>
long call(std::string_view name, long number, Args... args) {
  if (const int failure = hook() ? hook()(name) : 0; failure != 0) {
    errno = failure;
    return -1;
  }
  return syscall(number, args...);
}

}  // namespace

DiskFaults::DiskFaults(std::function<int(std::string_view)> before) { hook() = std::move(before); }
DiskFaults::~DiskFaults() { hook() = nullptr; }

}  // namespace weir::test

// The linker exports these from the binary because liblmdb asks for them; a binary comes before
// libc (and a sanitizer's runtime) when names are looked up.
#define WEIR_EXPORTED extern "C" __attribute__((visibility("default")))

WEIR_EXPORTED ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  return weir::test::call("pwrite", SYS_pwrite64, fd, bytes, size, at);
}
WEIR_EXPORTED ssize_t writev(int fd, const struct iovec* parts, int count) {
  return weir::test::call("writev", SYS_writev, fd, parts, count);
}
WEIR_EXPORTED int fdatasync(int fd) {
  return static_cast<int>(weir::test::call("fdatasync", SYS_fdatasync, fd));
}
