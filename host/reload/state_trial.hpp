#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "reload/probe.hpp"
#include "reload/probe_answer.hpp"
#include "reload/refusal.hpp"

namespace weir::host {

/// What a build makes of all States that are stored.
struct StateTrial {
  struct Resolver {
    std::string name;  ///< in the app's YAML
    std::uint64_t states = 0;
    std::uint64_t decoded = 0;        ///< and could be saved again
    std::uint64_t would_migrate = 0;  ///< of them: those of an older State version
    std::uint64_t failed = 0;
    std::map<std::uint32_t, std::uint64_t> of_version;  ///< as they are stored
  };
  std::vector<Resolver> resolvers;
  std::vector<std::string> failures;  ///< the first ones: task, resolver, key, why
  std::string ended;                  ///< how the process ended in the midst of them; empty: not

  std::uint64_t failed() const;
};

/// How many failures a StateTrial tells.
inline constexpr std::size_t trial_failures_max = 20;

/// Loads `candidate` into a child process and lets it read every State that the `resolvers` of the
/// request have stored, and save it again, beside a running host or without one. Nothing is
/// written. A process that says nothing for `time_max` has hung. A Refusal: not one State could be
/// tried.
std::variant<StateTrial, Refusal> try_states(const ProbeRequest& request);

/// The child's half: false when it has said why it cannot.
bool read_every_state(const ProbeRequest& request, const ProbeAnswer& answer);

}  // namespace weir::host
