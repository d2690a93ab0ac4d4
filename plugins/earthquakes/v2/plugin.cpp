// The next version: it also remembers how deep the deepest event of a network was.
#include <algorithm>
#include <cstdlib>

#include "../earthquakes.h"

namespace earthquakes {

namespace {
constexpr double centre_of_the_earth_km = 6371;
}  // namespace

weir::Result<Summary> follow_depth(const Earthquake& event, Network& network,
                                   const Settings& settings, weir::Context& ctx) {
  weir::Result<Summary> summary = follow(event, network, settings, ctx);
  if (!summary.ok()) return summary;
  // A bug: nobody thought of a feed that counts in metres. It takes the process down with it.
  if (event.depth() > centre_of_the_earth_km) std::abort();
  network.set_deepest_km(std::max(network.deepest_km(), event.depth()));
  summary->set_deepest_km(network.deepest_km());
  return summary;
}

WEIR_PLUGIN("earthquakes", "2.0.0",
            weir::resolver<follow_depth>("follow")
                .key<&Earthquake::net>()
                .event_time<&Earthquake::time, weir::milliseconds>());

}  // namespace earthquakes
