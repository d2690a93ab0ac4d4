#include "log/child_process.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

namespace weir::test {

ChildProcess::ChildProcess(const std::function<void(const Say&)>& run) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("no child process");
  if (pid_ == 0) {
    close(ends[0]);
    const Say say = [&](const std::string& text) {
      if (write(ends[1], text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(3);
    };
    try {
      run(say);
    } catch (const std::exception& failed) {
      std::fprintf(stderr, "child process: %s\n", failed.what());
      _exit(2);
    } catch (...) {
      _exit(2);  // a failed REQUIRE; doctest has printed it
    }
    _exit(0);
  }
  close(ends[1]);
  pipe_ = ends[0];
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (pipe_ >= 0) close(pipe_);
}

ChildProcess::End ChildProcess::wait() {
  End out;
  char buffer[4096];
  for (ssize_t size = 0; (size = read(pipe_, buffer, sizeof buffer)) > 0;) {
    out.said.append(buffer, static_cast<std::size_t>(size));
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  if (WIFSIGNALED(status)) out.signal = WTERMSIG(status);
  if (WIFEXITED(status)) out.exit_code = WEXITSTATUS(status);
  return out;
}

}  // namespace weir::test
