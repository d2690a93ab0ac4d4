#include "supervise/worker_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace weir::host {

namespace {

// Only what may be called between fork() and exec().
[[noreturn]] void become_worker(char* const* arguments, const std::vector<int>& inherited,
                                const sigset_t& mask, pid_t parent, int failed_fd) {
  ::setpgid(0, 0);
  // The worker's talk comes from the background of the terminal.
  std::signal(SIGTTOU, SIG_IGN);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  for (const int fd : inherited) ::fcntl(fd, F_SETFD, 0);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent) {
    // Also when the file was replaced by an upgrade since: what runs now is what goes on.
    ::execv("/proc/self/exe", arguments);
  }
  const int failed = errno;
  [[maybe_unused]] const ssize_t told = ::write(failed_fd, &failed, sizeof(failed));
  ::_exit(127);
}

}  // namespace

ProcessEnd ProcessEnd::from_wait(int status) {
  ProcessEnd end;
  if (WIFEXITED(status)) {
    end.code = WEXITSTATUS(status);
  } else if (WIFSIGNALED(status)) {
    end.signal = WTERMSIG(status);
    end.core = WCOREDUMP(status);
  }
  return end;
}

std::string ProcessEnd::text() const {
  if (code) return fmt::format("exited with code {}", *code);
  return fmt::format("was killed by {}{}", signal_name(signal), core ? " (left a core)" : "");
}

std::string signal_name(int signal) {
  const char* const name = ::sigabbrev_np(signal);
  return name == nullptr ? fmt::format("signal {}", signal) : fmt::format("SIG{}", name);
}

Result<pid_t> start_worker(const std::vector<std::string>& arguments,
                           const std::vector<int>& inherited, const sigset_t& mask) {
  std::vector<char*> argv{const_cast<char*>("weir")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  // Closed by a successful exec().
  std::array<int, 2> failure{};
  if (::pipe2(failure.data(), O_CLOEXEC) != 0) {
    return error(Errc::io, "cannot start the worker process: {}", std::strerror(errno));
  }
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become_worker(argv.data(), inherited, mask, parent, failure[1]);
  int failed = child < 0 ? errno : 0;
  ::close(failure[1]);
  if (child > 0 && ::read(failure[0], &failed, sizeof(failed)) == sizeof(failed)) {
    ::waitpid(child, nullptr, 0);
  }
  ::close(failure[0]);
  if (failed != 0) {
    return error(Errc::io, "cannot start the worker process: {}", std::strerror(failed));
  }
  return child;
}

}  // namespace weir::host
