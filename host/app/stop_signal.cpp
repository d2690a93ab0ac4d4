#include "app/stop_signal.hpp"

#include <csignal>
#include <ctime>

#include <pthread.h>

namespace weir::host {

namespace {
sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}
}  // namespace

StopSignal::StopSignal() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

bool StopSignal::wait(std::chrono::milliseconds timeout) {
  if (received_) return true;
  const sigset_t signals = stop_signals();
  const timespec limit{timeout.count() / 1000, (timeout.count() % 1000) * 1'000'000};
  const int signal = sigtimedwait(&signals, nullptr, &limit);
  if (signal == SIGHUP) hangup_ = true;
  if (signal <= 0 || signal == SIGHUP) return false;
  received_ = true;
  // From here on the default action, which ends the process, is the second signal's meaning.
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  sigset_t stop = signals;
  sigdelset(&stop, SIGHUP);  // what it asks for is over
  pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);
  return true;
}

}  // namespace weir::host
