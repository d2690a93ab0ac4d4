#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace weir::test {

/// A process of its own that runs a function. It shares nothing with the test but what it says:
/// have no log open when one is made, LMDB does not survive a fork.
class ChildProcess {
 public:
  /// `say` writes to the parent at once, also when the child is killed right after.
  using Say = std::function<void(const std::string&)>;
  explicit ChildProcess(const std::function<void(const Say& say)>& run);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  struct End {
    std::string said;
    int signal = 0;     ///< that ended it; 0: none
    int exit_code = 0;  ///< 0: the function returned
  };
  /// Waits for the child to end.
  End wait();

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
};

}  // namespace weir::test
