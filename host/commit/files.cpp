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

Result<void> write_durable_file(const std::filesystem::path& path, std::string_view text) {
  const std::filesystem::path draft = path.string() + ".new";
  const auto cannot = [](const std::filesystem::path& file, int code) {
    return error(code == ENOSPC ? Errc::full : Errc::io, "cannot write {}: {}", file.string(),
                 std::strerror(code));
  };
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
  if (fd < 0) return cannot(draft, errno);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  const int code = errno;
  ::close(fd);
  if (!written) return cannot(draft, code);
  if (::rename(draft.c_str(), path.c_str()) != 0) return cannot(path, errno);
  return sync_directory(path.parent_path());
}

}  // namespace weir::host
