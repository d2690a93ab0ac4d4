#include "commit/state_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <optional>
#include <random>
#include <utility>

#include "base/bytes.hpp"
#include "commit/app_file.hpp"
#include "commit/file_system.hpp"
#include "commit/files.hpp"

namespace weir::host {
namespace {

constexpr const char* way_out = "state.path must be a directory that this user can write to";

constexpr int attempts_max = 10;
constexpr int ending_tries_max = 100;  // about 10 s
constexpr std::size_t identity_bytes = 8;

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

// What the holder wrote into its lock file: app, pid and host name, a line each.
struct Holder {
  std::string app;
  std::string pid;
  std::string host;
};

Holder read_holder(int fd) {
  std::array<char, 1024> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  std::string_view rest(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  Holder out;
  for (std::string* line : {&out.app, &out.pid, &out.host}) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    *line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

std::string words_for(const Holder& holder) {
  if (holder.pid.empty()) return "another process";
  return fmt::format("app {} (pid {} on {})", holder.app, holder.pid, holder.host);
}

Error in_use(const std::filesystem::path& path, int fd) {
  return error(Errc::refused,
               "the state directory {} is in use by {}; stop that process, or set state.path of "
               "this app to a directory of its own",
               path.string(), words_for(read_holder(fd)));
}

// A reader without a slot (StateReader) holds a shared lock for the length of one page. That must
// not look like a second host.
bool take(int fd) {
  for (int attempt = 0;; ++attempt) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK || attempt == attempts_max) return false;
    const timespec pause{0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

/// Whether the holder's process has ended, so that what still holds the lock is about to: a worker
/// process dies with its supervisor, but giving back gigabytes of memory takes a moment.
bool is_ending(const Holder& holder) {
  if (holder.pid.empty() || holder.host != host_name()) return false;
  std::ifstream stat("/proc/" + holder.pid + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return true;
  const std::size_t name_end = line.rfind(") ");
  if (name_end == std::string::npos || name_end + 2 >= line.size()) return false;
  const char state = line[name_end + 2];
  return state == 'Z' || state == 'X';
}

Result<void> check_owner(const std::filesystem::path& path, const std::string& app) {
  WEIR_TRY(const std::optional<std::string> owner, read_app_file(path));
  if (owner) {
    if (*owner == app) return {};
    return error(Errc::refused,
                 "the state directory {} belongs to app {}, not to {}; set state.path of this app "
                 "to a directory of its own",
                 path.string(), *owner, app);
  }
  std::error_code ignored;
  if (std::filesystem::exists(StateDirectory::tasks_in(path), ignored)) {
    return error(Errc::refused,
                 "the state directory {} has tasks but no file `app` that says whose; restore it "
                 "from a backup, or set state.path to another directory",
                 path.string());
  }
  return write_app_file(path, app);
}

}  // namespace

StateDirectory::StateDirectory(std::filesystem::path path, int lock_fd)
    : path_(std::move(path)), lock_fd_(lock_fd) {}

// The file stays: removing it would let a third process lock a new one while a second waits on
// this one. Its text is removed, so that nobody is named who is gone.
StateDirectory::~StateDirectory() {
  if (lock_fd_ < 0) return;
  if (::ftruncate(lock_fd_, 0) != 0) {
    // Nothing depends on it: the lock decides, the text only explains.
  }
  ::close(lock_fd_);
}

std::optional<std::string> StateDirectory::holder(const std::filesystem::path& path) {
  const int fd = ::open((path / "weir.lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::optional<std::string> out;
  if (::flock(fd, LOCK_SH | LOCK_NB) != 0) out = words_for(read_holder(fd));
  ::close(fd);
  return out;
}

const std::filesystem::path& StateDirectory::path() const { return path_; }

std::filesystem::path StateDirectory::task_directory(std::string_view task) const {
  return tasks_in(path_) / task;
}

std::uint32_t StateDirectory::workers() const {
  std::uint32_t count = 1;
  std::ifstream(path_ / "workers") >> count;  // no such file: one is what it starts with
  return std::max(count, 1U);
}

Result<void> StateDirectory::set_workers(std::uint32_t count) {
  if (count == workers()) return {};
  return write_durable_file(path_ / "workers", fmt::format("{}\n", count));
}

Result<void> StateDirectory::read_identity() {
  const std::filesystem::path file = path_ / "identity";
  std::ifstream(file) >> identity_;
  if (identity_.size() == identity_bytes * 2) return {};
  std::random_device random;
  const std::array<std::uint32_t, identity_bytes / 4> drawn{random(), random()};
  identity_ = to_hex({reinterpret_cast<const char*>(drawn.data()), identity_bytes});
  return write_durable_file(file, identity_ + "\n");
}

Result<void> StateDirectory::begin_reset(const std::string& command) {
  return write_durable_file(path_ / "reset", command + "\n");
}

Result<void> StateDirectory::end_reset() {
  const std::filesystem::path file = path_ / "reset";
  std::error_code code;
  if (!std::filesystem::remove(file, code) && code) {
    return error(Errc::io, "cannot remove {}: {}", file.string(), code.message());
  }
  return sync_directory(path_);
}

Result<std::optional<std::string>> StateDirectory::unfinished_reset() const {
  const std::filesystem::path file = path_ / "reset";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::optional<std::string>{};
  std::string command;
  std::ifstream in(file);
  if (!in || !std::getline(in, command)) return error(Errc::io, "cannot read {}", file.string());
  return std::optional(std::move(command));
}

Result<std::unique_ptr<StateDirectory>> StateDirectory::lock(const std::filesystem::path& path,
                                                             const std::string& app,
                                                             std::vector<std::string>& warnings,
                                                             pid_t named) {
  WEIR_TRY(const std::uint64_t type, file_system_type(path));
  const FileSystemJudgement disk = judge_file_system(type);
  if (disk.fitness == FileSystemFitness::unsafe) {
    return error(Errc::refused,
                 "the state directory {} is on {}, where State is not safe: {}; set state.path to "
                 "a local disk",
                 path.string(), disk.name, disk.why);
  }
  if (disk.fitness == FileSystemFitness::unwise) {
    warnings.push_back(
        fmt::format("the state directory {} is on {}: {}", path.string(), disk.name, disk.why));
  }
  if (auto made = make_durable_directory(path); !made) {
    return error(made.error().code, "{}; {}", made.error().message, way_out);
  }
  const std::filesystem::path file = path / "weir.lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0660);
  if (fd < 0) {
    return error(Errc::io, "cannot open {}: {}; {}", file.string(), std::strerror(errno), way_out);
  }
  std::unique_ptr<StateDirectory> held(new StateDirectory(path, fd));
  bool taken = take(fd);
  for (int tries = 0; !taken && tries < ending_tries_max && is_ending(read_holder(fd)); ++tries) {
    taken = take(fd);
  }
  if (!taken) {
    const Error refusal = errno == EWOULDBLOCK ? in_use(path, fd)
                                               : error(Errc::io, "cannot lock {}: {}",
                                                       file.string(), std::strerror(errno));
    // Not ours: neither its text nor its lock.
    ::close(std::exchange(held->lock_fd_, -1));
    return refusal;
  }
  WEIR_CHECK(check_owner(path, app));
  WEIR_CHECK(held->read_identity());
  const std::string text =
      fmt::format("{}\n{}\n{}\n", app, named == 0 ? ::getpid() : named, host_name());
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return error(errno == ENOSPC ? Errc::full : Errc::io, "cannot write {}: {}", file.string(),
                 std::strerror(errno));
  }
  return held;
}

}  // namespace weir::host
