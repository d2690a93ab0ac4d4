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

Error cannot_read(const std::filesystem::path& path, int code) {
  return error(Errc::io, "cannot read {}: {}", path.string(), std::strerror(code));
}

}  // namespace

Result<std::optional<std::string>> read_app_file(const std::filesystem::path& state_directory) {
  const std::filesystem::path path = state_directory / "app";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return cannot_read(path, errno);
  }
  std::array<char, file_bytes_max> bytes{};
  const ssize_t size = ::read(fd, bytes.data(), bytes.size());
  const int code = errno;
  ::close(fd);
  if (size < 0) return cannot_read(path, code);
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
  return write_durable_file(state_directory / "app", std::string(first_line) + app + "\n");
}

}  // namespace weir::host
