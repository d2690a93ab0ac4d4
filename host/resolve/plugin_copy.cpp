#include "resolve/plugin_copy.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace weir::host {

namespace {

constexpr int copies_max = 100'000;
constexpr std::size_t hash_digits = 12;

Error failed(std::string_view what, const std::filesystem::path& path, int number) {
  return error(Errc::io, "cannot {} {}: {}", what, path.string(),
               std::generic_category().message(number));
}

Result<void> check_directory(const std::filesystem::path& directory) {
  std::error_code code;
  if (directory.has_parent_path()) {
    std::filesystem::create_directories(directory.parent_path(), code);
    if (code) return failed("make the directory", directory.parent_path(), code.value());
  }
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return failed("make the directory", directory, errno);
  }
  struct stat status {};
  if (stat(directory.c_str(), &status) != 0) return failed("look at", directory, errno);
  if (!S_ISDIR(status.st_mode)) {
    return error(Errc::refused, "the directory for plugin copies {} is not a directory",
                 directory.string());
  }
  // In a sticky directory such as /tmp others can add files, but not replace ours.
  const bool others_write =
      (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status.st_mode & S_ISVTX) == 0;
  if (others_write || (status.st_uid != geteuid() && status.st_uid != 0)) {
    return error(Errc::refused,
                 "the directory for plugin copies {} can be written by others (owner {}, mode "
                 "{:04o}), who could replace what the host loads; make it yours with mode 0700",
                 directory.string(), status.st_uid, status.st_mode & 07777u);
  }
  struct statvfs file_system {};
  if (statvfs(directory.c_str(), &file_system) != 0) return failed("look at", directory, errno);
  if ((file_system.f_flag & ST_NOEXEC) != 0) {
    return error(
        Errc::refused,
        "the directory for plugin copies {} is on a file system mounted noexec, from which "
        "no library can be loaded; put it on another one or mount that one with exec",
        directory.string());
  }
  return {};
}

/// True for `<plugin>-<12 hex digits>-<n>.so`.
bool is_copy_name(std::string_view name) {
  if (!name.ends_with(".so")) return false;
  name.remove_suffix(3);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_hex = [&](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); };
  const std::size_t number = name.rfind('-');
  if (number == std::string_view::npos || number + 1 == name.size()) return false;
  if (!std::ranges::all_of(name.substr(number + 1), is_digit)) return false;
  name = name.substr(0, number);
  const std::size_t hash = name.rfind('-');
  return hash != std::string_view::npos && hash > 0 && name.size() - hash - 1 == hash_digits &&
         std::ranges::all_of(name.substr(hash + 1), is_hex);
}

/// Deletes the copies that nobody holds a lock on. What cannot be deleted stays; it does no harm.
void remove_left_behind(const std::filesystem::path& directory) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (!is_copy_name(entry.path().filename().native())) continue;
    const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) continue;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) unlink(entry.path().c_str());
    close(fd);
  }
}

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return 0;
}

}  // namespace

Result<PluginCopy> PluginCopy::make(const std::filesystem::path& directory, std::string_view plugin,
                                    std::string_view sha256, std::string_view bytes) {
  WEIR_CHECK(check_directory(directory));
  remove_left_behind(directory);
  // The dynamic linker knows libraries by their path: it must mean the same from everywhere.
  std::error_code code;
  const std::filesystem::path home = std::filesystem::canonical(directory, code);
  if (code) return failed("look at", directory, code.value());

  for (int n = 1; n <= copies_max; ++n) {
    const std::filesystem::path path =
        home / fmt::format("{}-{}-{}.so", plugin, sha256.substr(0, hash_digits), n);
    if (is_mapped(path)) continue;  // its file was deleted, but its name is still known
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) return failed("make the copy", path, errno);
    PluginCopy copy(path, fd);
    // Another process may have taken it for one left behind before it was locked.
    struct stat status {};
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &status) != 0 || status.st_nlink == 0) {
      copy.keep();
      close(std::exchange(copy.fd_, -1));
      continue;
    }
    // The mode given to open() went through the umask.
    if (const int number = fchmod(fd, 0500) != 0 ? errno : write_all(fd, bytes); number != 0) {
      return failed("write the copy", path, number);
    }
    return copy;
  }
  return error(Errc::io, "{} has {} copies of plugin {} in use; restart the host",
               directory.string(), copies_max, plugin);
}

PluginCopy::PluginCopy(PluginCopy&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      kept_(std::exchange(other.kept_, true)) {}

PluginCopy::~PluginCopy() {
  if (!kept_) {
    unlink(path_.c_str());
    if (fd_ >= 0) close(fd_);
  }
}

bool is_mapped(const std::filesystem::path& library) {
  // glibc lets a library go when its thread_locals are destroyed, but unmaps it only at the next
  // dlclose() of it: this is that dlclose().
  for (int i = 0; i < 2; ++i) {
    void* handle = dlopen(library.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) return false;
    dlclose(handle);
  }
  return true;
}

}  // namespace weir::host
