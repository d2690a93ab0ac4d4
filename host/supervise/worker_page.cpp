#include "supervise/worker_page.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::host {

namespace {

template <std::size_t size>
void put(std::array<char, size>& to, std::string_view text) {
  // Cut text would be another path: none is better.
  if (text.size() >= size) text = {};
  to.fill('\0');
  std::copy(text.begin(), text.end(), to.begin());
}

template <std::size_t size>
std::string get(const std::array<char, size>& from) {
  return {from.data(), strnlen(from.data(), size)};
}

}  // namespace

struct WorkerPage::Shared {
  std::atomic<Stage> stage;
  std::atomic<bool> has_run;
  std::atomic<std::uint64_t> commits;
  std::array<char, 256> app;
  std::array<char, 4096> state;
  std::array<char, 4096> listen;
  bool allow_remote;
};

Result<WorkerPage> WorkerPage::make() {
  const int fd = ::memfd_create("weir-worker", MFD_CLOEXEC);
  if (fd < 0 || ::ftruncate(fd, sizeof(Shared)) != 0) {
    const int failed = errno;
    if (fd >= 0) ::close(fd);
    return error(Errc::io, "cannot make memory that is shared with the worker process: {}",
                 std::strerror(failed));
  }
  return map(fd);
}

Result<WorkerPage> WorkerPage::inherit(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || info.st_size != sizeof(Shared)) {
    return error(Errc::usage,
                 "--worker is for `weir run` itself, when it starts its worker process");
  }
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return map(fd);
}

Result<WorkerPage> WorkerPage::map(int fd) {
  void* const at = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) {
    const int failed = errno;
    ::close(fd);
    return error(Errc::io, "cannot map the memory that is shared with the worker process: {}",
                 std::strerror(failed));
  }
  return WorkerPage(fd, static_cast<Shared*>(at));
}

WorkerPage::WorkerPage(WorkerPage&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), shared_(std::exchange(other.shared_, nullptr)) {}

WorkerPage::~WorkerPage() {
  if (shared_ != nullptr) ::munmap(shared_, sizeof(Shared));
  if (fd_ >= 0) ::close(fd_);
}

void WorkerPage::begin_worker() {
  shared_->stage = Stage::starting;
  shared_->has_run = false;
  shared_->commits = 0;
}

void WorkerPage::set_stage(Stage stage) {
  if (stage == Stage::running) shared_->has_run = true;
  shared_->stage = stage;
}

bool WorkerPage::has_run() const { return shared_->has_run; }
WorkerPage::Stage WorkerPage::stage() const { return shared_->stage; }

void WorkerPage::count_commit() { shared_->commits.fetch_add(1, std::memory_order_relaxed); }
std::uint64_t WorkerPage::commits() const { return shared_->commits; }

void WorkerPage::set_answers(const Answers& answers) {
  put(shared_->app, answers.app);
  put(shared_->state, answers.state);
  put(shared_->listen, answers.listen);
  shared_->allow_remote = answers.allow_remote;
}

WorkerPage::Answers WorkerPage::answers() const {
  return {get(shared_->app), get(shared_->state), get(shared_->listen), shared_->allow_remote};
}

}  // namespace weir::host
