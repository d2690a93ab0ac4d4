#include "app/plugin_watch.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace weir::host {

namespace {

/// Without another event: a build often writes a file more than once.
constexpr std::int64_t quiet_ms = 200;
constexpr std::int64_t look_interval_ms = 1000;
/// A new link is whole at once, a new file is not.
constexpr std::uint32_t events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR;

bool is_link(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_symlink(path, ignored);
}

}  // namespace

Result<PluginWatch> PluginWatch::open(const std::vector<std::filesystem::path>& files) {
  const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    return error(Errc::io, "cannot watch plugin files (reload.watch): {}",
                 std::generic_category().message(errno));
  }
  PluginWatch out(fd);
  for (const std::filesystem::path& file : files) {
    const std::filesystem::path path = std::filesystem::absolute(file).lexically_normal();
    out.directories_[path.parent_path()].files.insert(path.filename().string());
  }
  for (auto& [path, directory] : out.directories_) WEIR_CHECK(out.look(path, directory));
  return out;
}

PluginWatch::PluginWatch(PluginWatch&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      directories_(std::move(other.directories_)),
      last_event_ms_(other.last_event_ms_),
      last_look_ms_(other.last_look_ms_) {}

PluginWatch::~PluginWatch() {
  if (fd_ >= 0) close(fd_);
}

/// A directory that is not there is looked for again.
Result<void> PluginWatch::look(const std::filesystem::path& path, Directory& directory) const {
  directory.watch = inotify_add_watch(fd_, path.c_str(), events);
  if (directory.watch >= 0 || errno == ENOENT || errno == ENOTDIR) return {};
  return error(Errc::io, "cannot watch {} (reload.watch): {}", path.string(),
               std::generic_category().message(errno));
}

bool PluginWatch::has_changed(std::int64_t now_ms) {
  if (read_events() || look_again(now_ms)) last_event_ms_ = now_ms;
  if (last_event_ms_ < 0 || now_ms - last_event_ms_ < quiet_ms) return false;
  last_event_ms_ = -1;
  return true;
}

bool PluginWatch::read_events() {
  bool any = false;
  alignas(inotify_event) std::array<char, 4096> buffer{};
  for (ssize_t size = 0; (size = read(fd_, buffer.data(), buffer.size())) > 0;) {
    for (const char* at = buffer.data(); at < buffer.data() + size;) {
      inotify_event event{};
      std::memcpy(&event, at, sizeof event);
      const std::string name = event.len == 0 ? "" : at + sizeof event;
      at += sizeof event + event.len;
      any |= (event.mask & IN_Q_OVERFLOW) != 0;
      for (auto& [path, directory] : directories_) {
        if (directory.watch != event.wd) continue;
        if ((event.mask & IN_IGNORED) != 0) directory.watch = -1;  // it was deleted
        const bool is_whole = (event.mask & IN_CREATE) == 0 || is_link(path / name);
        any |= is_whole && directory.files.contains(name);
      }
    }
  }
  return any;
}

bool PluginWatch::look_again(std::int64_t now_ms) {
  if (now_ms - last_look_ms_ < look_interval_ms) return false;
  last_look_ms_ = now_ms;
  bool any = false;
  for (auto& [path, directory] : directories_) {
    any |= directory.watch < 0 && look(path, directory) && directory.watch >= 0;
  }
  return any;
}

}  // namespace weir::host
