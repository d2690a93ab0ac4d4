#pragma once

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

namespace weir::test {

/// One byte through a pipe: something has happened in the other process.
class Signal {
 public:
  Signal() {
    if (pipe(ends_) != 0) ends_[0] = ends_[1] = -1;
  }
  ~Signal() {
    close(ends_[0]);
    close(ends_[1]);
  }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void send() { (void)!write(ends_[1], "!", 1); }
  bool wait() {
    close(ends_[1]);  // so that a dead sender is the end of the pipe
    ends_[1] = -1;
    char byte = 0;
    return read(ends_[0], &byte, 1) == 1;
  }

 private:
  int ends_[2];
};

/// Runs `body` in a forked process; what it returns is the exit code. The body must not use
/// anything of LMDB that its parent opened.
class Child {
 public:
  explicit Child(const std::function<int(Signal&)>& body) : pid_(fork()) {
    if (pid_ != 0) return;
    int code = 99;
    try {
      code = body(signal_);
    } catch (...) {
    }
    _exit(code);
  }
  ~Child() {
    if (pid_ > 0) {
      kill();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void wait_for_signal() { REQUIRE(signal_.wait()); }
  void kill() {
    ::kill(pid_, SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
  }
  bool running() {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
  }
  /// Waits for the end. Negative: died of that signal.
  int exit_code() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  Signal signal_;
  pid_t pid_;
};

}  // namespace weir::test
