#include "commit/app_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/bytes.hpp"
#include "commit/files.hpp"

namespace weir::host {
namespace {

constexpr std::string_view first_line = "weir-state 1\n";
constexpr std::size_t file_bytes_max = 4096;

Error cannot(const char* what, const std::filesystem::path& path, int code) {
  return error(code == ENOSPC ? Errc::full : Errc::io, "cannot {} {}: {}", what, path.string(),
               std::strerror(code));
}

}  // namespace

Result<std::optional<std::string>> read_app_file(const std::filesystem::path& state_directory) {
  const std::filesystem::path path = state_directory / "app";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return cannot("read", path, errno);
  }
  std::array<char, file_bytes_max> bytes{};
  const ssize_t size = ::read(fd, bytes.data(), bytes.size());
  const int code = errno;
  ::close(fd);
  if (size < 0) return cannot("read", path, code);
  std::string_view text(bytes.data(), static_cast<std::size_t>(size));
  if (!text.starts_with(first_line) || text.size() < first_line.size() + 2 || text.back() != '\n') {
    return error(Errc::corrupt,
                 "{} starts with \"{}\", expected \"weir-state 1\" and the app's name: the "
                 "directory is of a newer version of weir, or of another program",
                 path.string(), printable(text.substr(0, text.find('\n')), 32));
  }
  text.remove_prefix(first_line.size());
  text.remove_suffix(1);
  return std::optional<std::string>(text);
}

Result<void> write_app_file(const std::filesystem::path& state_directory, const std::string& app) {
  const std::filesystem::path path = state_directory / "app";
  const std::filesystem::path draft = state_directory / "app.new";
  const std::string text = std::string(first_line) + app + "\n";
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
  if (fd < 0) return cannot("write", draft, errno);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  const int code = errno;
  ::close(fd);
  if (!written) return cannot("write", draft, code);
  if (::rename(draft.c_str(), path.c_str()) != 0) return cannot("write", path, errno);
  return sync_directory(state_directory);
}

}  // namespace weir::host
