#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "reload/refusal.hpp"

namespace weir::host {

/// What the child process of a probe says to the one that has started it, a line each:
///   NONCE WORD TEXT
/// on check_answer_descriptor, TEXT as escape_line() writes it.
class ProbeAnswer {
 public:
  explicit ProbeAnswer(std::string nonce) : nonce_(std::move(nonce)) {}
  void doing(std::string_view what) const { say("doing", what); }
  void done(std::string_view what) const { say("done", what); }
  void finished() const { say("finished", ""); }
  /// False.
  bool fail(ReloadCode code, std::string_view why) const;
  void say(std::string_view word, std::string_view text) const;

 private:
  std::string nonce_;
};

/// Of this process: memory, no core, and processor time; absent: as much of that as it takes.
void limit_resources(std::optional<std::chrono::milliseconds> time_max);

}  // namespace weir::host
