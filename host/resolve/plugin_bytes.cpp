#include "resolve/plugin_bytes.hpp"

#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.hpp"

namespace weir::host {

namespace {

Error file_error(const std::filesystem::path& path, int number) {
  return error(number == ENOENT ? Errc::not_found : Errc::io, "plugin {} cannot be read: {}",
               path.string(), std::generic_category().message(number));
}

}  // namespace

Result<std::string> read_plugin_bytes(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return file_error(path, errno);
  struct Close {
    int fd;
    ~Close() { close(fd); }
  } close_at_end{fd};
  struct stat status {};
  if (fstat(fd, &status) != 0) return file_error(path, errno);
  if (!S_ISREG(status.st_mode)) {
    return error(Errc::refused,
                 "plugin {} is refused: file: it is no regular file; name the shared "
                 "library itself",
                 path.string());
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > plugin_file_bytes_max) {
    return error(Errc::refused,
                 "plugin {} is refused: file: it has {} B, the limit is {} B; strip it of its "
                 "debugging information",
                 path.string(), size, plugin_file_bytes_max);
  }
  std::string bytes(size, '\0');
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t count = read(fd, bytes.data() + at, bytes.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error(path, errno);
    if (count == 0) break;  // it became shorter; the lint will say so
    at += static_cast<std::size_t>(count);
  }
  bytes.resize(at);
  return bytes;
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size());
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace weir::host
