#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "reload/probe.hpp"
#include "reload/refusal.hpp"

namespace weir::host {

/// How the child process of a probe has ended.
struct ProbeEnd {
  bool finished = false;           ///< it has done all that it was asked for
  std::optional<Refusal> refusal;  ///< what it has found, and ended for
  std::string doing = "start";     ///< the last thing that it began
  std::string how;                 ///< ChildEnd's
  std::string cause;               ///< what it has found out about that itself; may be empty
  std::string said;                ///< ChildEnd's

  /// Neither finished nor a refusal: what that tells, and a sentence for people.
  ReloadCode code() const;
  std::string text() const;
};

/// Starts the child with the request, and hands each word that it answers to `hear` with its text.
/// Errc::io: it cannot be started.
Result<ProbeEnd> run_probe_process(
    const ProbeRequest& request,
    const std::function<void(std::string_view word, const std::string& text)>& hear);

}  // namespace weir::host
