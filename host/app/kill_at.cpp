#include "app/kill_at.hpp"

#include <atomic>
#include <charconv>
#include <csignal>
#include <memory>

#include <unistd.h>

namespace weir::host {

std::function<void(std::string_view)> killer(const std::string& kill_at) {
  if (kill_at.empty()) return {};
  const std::size_t colon = kill_at.find(':');
  int count = 1;
  if (colon != std::string::npos) {
    std::from_chars(kill_at.data() + colon + 1, kill_at.data() + kill_at.size(), count);
  }
  auto left = std::make_shared<std::atomic<int>>(count);  // shared by the threads that reach it
  return [step = kill_at.substr(0, colon), left](std::string_view reached) {
    if (reached == step && --*left == 0) kill(getpid(), SIGKILL);
  };
}

}  // namespace weir::host
