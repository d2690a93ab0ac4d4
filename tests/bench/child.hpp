#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <type_traits>

#include "base/assert.hpp"

namespace weir::host::bench {

/// Runs `work` in a process of its own and hands back what it returns: every run starts with the
/// same empty heap, whatever ran before it. A child that fails has said why; then this process
/// ends too.
template <typename Work>
auto in_child(Work work) {
  using Answer = std::invoke_result_t<Work>;
  static_assert(std::is_trivially_copyable_v<Answer>, "it goes through a pipe as it is");
  int ends[2];
  WEIR_ASSERT(pipe(ends) == 0, "a pipe");
  const pid_t child = fork();
  WEIR_ASSERT(child >= 0, "a process");
  if (child == 0) {
    close(ends[0]);
    const Answer answer = work();
    const bool written = write(ends[1], &answer, sizeof answer) == sizeof answer;
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  Answer answer{};
  const bool complete = read(ends[0], &answer, sizeof answer) == sizeof answer;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!complete || status != 0) std::exit(1);
  return answer;
}

}  // namespace weir::host::bench
