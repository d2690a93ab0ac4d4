#include "resolve/process_state.hpp"

#include <cfenv>
#include <clocale>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

// Present where the host is built with a sanitizer: its own malloc is the one that counts.
extern "C" [[gnu::weak]] std::size_t __sanitizer_get_current_allocated_bytes();

namespace weir::host {

#ifdef WEIR_SANITIZED
const bool MemoryUse::resident_is_exact = false;
#else
const bool MemoryUse::resident_is_exact = true;
#endif

namespace {

namespace fs = std::filesystem;

std::map<int, std::string> open_files() {
  std::map<int, std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", ignored)) {
    const fs::path target = fs::read_symlink(entry.path(), ignored);
    // The listing itself holds a descriptor, which is gone by now.
    if (target.native().ends_with("/fd")) continue;
    out.emplace(std::stoi(entry.path().filename().string()), target.string());
  }
  return out;
}

std::size_t thread_count() {
  std::error_code ignored;
  const fs::directory_iterator tasks("/proc/self/task", ignored);
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

}  // namespace

ProcessState ProcessState::now() {
  ProcessState state;
  state.threads = thread_count();
  state.files = open_files();
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  for (int number = 1; number < static_cast<int>(state.signal_handlers.size()); ++number) {
    state.signals_blocked[static_cast<std::size_t>(number)] = sigismember(&blocked, number) == 1;
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) != 0) continue;
    state.signal_handlers[static_cast<std::size_t>(number)] =
        reinterpret_cast<std::uintptr_t>(action.sa_handler);
  }
  state.locale = setlocale(LC_ALL, nullptr);
  std::error_code ignored;
  state.directory = fs::current_path(ignored).string();
  for (char** variable = environ; *variable != nullptr; ++variable) {
    state.environment.append(*variable).push_back('\n');
  }
  state.file_mode_mask = umask(0);
  umask(state.file_mode_mask);
  state.rounding = std::fegetround();
  return state;
}

std::vector<std::string> ProcessState::changes(const ProcessState& later) const {
  std::vector<std::string> out;
  if (later.threads > threads) {
    out.push_back(fmt::format("{} threads run, {} before", later.threads, threads));
  }
  for (const auto& [descriptor, target] : later.files) {
    if (!files.contains(descriptor)) {
      out.push_back(fmt::format("descriptor {} ({}) is open", descriptor, target));
    }
  }
  for (std::size_t number = 1; number < signal_handlers.size(); ++number) {
    if (signal_handlers[number] != later.signal_handlers[number]) {
      out.push_back(fmt::format("signal {} has another handler", number));
    }
    if (signals_blocked[number] != later.signals_blocked[number]) {
      out.push_back(
          fmt::format("signal {} is {}", number,
                      later.signals_blocked[number] ? "blocked" : "not blocked any more"));
    }
  }
  if (locale != later.locale) {
    out.push_back(fmt::format("the locale is {}, {} before", later.locale, locale));
  }
  if (directory != later.directory) {
    out.push_back(fmt::format("the working directory is {}", later.directory));
  }
  if (environment != later.environment) out.push_back("the environment has changed");
  if (file_mode_mask != later.file_mode_mask) {
    out.push_back(
        fmt::format("the umask is {:04o}, {:04o} before", later.file_mode_mask, file_mode_mask));
  }
  if (rounding != later.rounding) out.push_back("the rounding of floating point has changed");
  return out;
}

MemoryUse MemoryUse::now() {
  MemoryUse use;
  if (__sanitizer_get_current_allocated_bytes != nullptr) {
    use.heap_bytes = static_cast<std::int64_t>(__sanitizer_get_current_allocated_bytes());
  } else {
    const struct mallinfo2 info = mallinfo2();
    use.heap_bytes = static_cast<std::int64_t>(info.uordblks + info.hblkhd);
  }
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;  // the second number is what is resident
  use.resident_bytes = pages * sysconf(_SC_PAGESIZE);
  return use;
}

}  // namespace weir::host
