#include "commit/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace weir::host {

Result<void> sync_directory(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool done = fd >= 0 && ::fsync(fd) == 0;
  const int code = errno;
  if (fd >= 0) ::close(fd);
  if (!done) return error(Errc::io, "cannot sync {}: {}", path.string(), std::strerror(code));
  return {};
}

Result<void> make_durable_directory(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> missing;
  std::error_code code;
  for (std::filesystem::path at = std::filesystem::absolute(path);
       !std::filesystem::exists(at, code) && at.has_relative_path(); at = at.parent_path()) {
    missing.push_back(at);
  }
  for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
    std::filesystem::create_directory(*at, code);
    if (code) {
      const Errc kind = code == std::errc::no_space_on_device ? Errc::full : Errc::io;
      return error(kind, "cannot make {}: {}", at->string(), code.message());
    }
    WEIR_CHECK(sync_directory(at->parent_path()));
  }
  return {};
}

}  // namespace weir::host
