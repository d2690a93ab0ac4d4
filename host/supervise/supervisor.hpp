#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/down_admin.hpp"
#include "base/clock.hpp"
#include "base/logger.hpp"
#include "supervise/back_off.hpp"
#include "supervise/journal.hpp"
#include "supervise/worker_page.hpp"
#include "supervise/worker_process.hpp"

namespace weir::host {

/// The process that an operator starts as `weir run`. All the work is done by its worker process,
/// the same program once more, which dies with it; when that dies alone, another one takes its
/// place. So plugins may crash, and the app stays up.
///
/// It opens no plugin, no client of a log and no State, and has one thread; while no worker lives,
/// a second one that answers operators.
class Supervisor {
 public:
  struct Options {
    std::vector<std::string> command;  ///< the worker's: "run" and its options
    std::vector<std::string> first;    ///< further ones of the first worker
    std::string version;
    int crashed_code = 0;  ///< what to exit with when the worker only crashes: at the first start
    int unended_code = 0;  ///< or where a stop was asked for and the worker crashed over it
  };
  /// `clock` and `logger` outlive it.
  Supervisor(Options options, Clock& clock, Logger& logger);

  /// Until the worker process has ended by its own decision or at a signal; returns the exit code.
  /// Does not return when a second signal ended the worker: this process ends by it as well.
  int run();

 private:
  enum class After { again, end };
  Result<void> start();
  ProcessEnd wait_for_worker();
  After judge(const ProcessEnd& end);
  After judge_stopped(const ProcessEnd& end);
  /// Keeps the report of a crash. What happened, in words.
  std::string settle(const ProcessEnd& end);
  void wait(std::chrono::milliseconds delay, const std::string& why);
  int next_signal(const std::chrono::milliseconds* timeout);
  void handle(int signal);

  Options options_;
  Clock& clock_;
  Logger& logger_;
  sigset_t handled_{};
  sigset_t worker_mask_{};
  std::optional<WorkerPage> page_;
  std::unique_ptr<Journal> journal_;
  BackOff back_off_;
  pid_t worker_ = -1;
  std::uint64_t restarts_ = 0;
  int failed_starts_ = 0;  // in a row, before any worker had started
  bool has_run_ = false;   // a worker had
  bool stopping_ = false;
  int code_ = 0;
};

}  // namespace weir::host
