#include "reload/probe.hpp"

#include "reload/probe_process.hpp"

namespace weir::host {

std::variant<std::vector<std::string>, Refusal> probe_build(const ProbeRequest& request) {
  std::vector<std::string> done;
  auto end = run_probe_process(request, [&](std::string_view word, const std::string& text) {
    if (word == "done") done.push_back(text);
  });
  if (!end) return Refusal{ReloadStep::probe, ReloadCode::no_room, end.error().message};
  if (end->refusal) return *std::move(end->refusal);
  if (end->finished) return done;
  return Refusal{ReloadStep::probe, end->code(), end->text()};
}

}  // namespace weir::host
