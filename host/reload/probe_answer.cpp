#include "reload/probe_answer.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <fmt/format.h>

#include "resolve/check_child.hpp"

namespace weir::host {

bool ProbeAnswer::fail(ReloadCode code, std::string_view why) const {
  say("fail", fmt::format("{} {}", name_of(code), why));
  return false;
}

void ProbeAnswer::say(std::string_view word, std::string_view text) const {
  const std::string line = fmt::format("{} {} {}\n", nonce_, word, escape_line(text));
  // A parent that is gone has nothing to be told.
  if (write(check_answer_descriptor, line.data(), line.size()) < 0) _exit(1);
}

void limit_resources(std::optional<std::chrono::milliseconds> time_max) {
  if (time_max) {
    const auto seconds = static_cast<rlim_t>(time_max->count() / 1000 + 1);
    const rlimit cpu{seconds, seconds + 1};
    setrlimit(RLIMIT_CPU, &cpu);
  }
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
#ifndef WEIR_SANITIZED
  const rlimit data{rlim_t{2} << 30, rlim_t{2} << 30};
  setrlimit(RLIMIT_DATA, &data);
#endif
}

}  // namespace weir::host
