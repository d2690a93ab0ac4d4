#pragma once

#include <weir/sdk.h>

#include "earthquakes.pb.h"

namespace earthquakes {

/// Counts one event into its network's State and gives the network as it stands now. Lateness is
/// the distance from the event's own time to its record's timestamp.
weir::Result<Summary> follow(const Earthquake& event, Network& network, const Settings& settings,
                             weir::Context& ctx);

}  // namespace earthquakes
