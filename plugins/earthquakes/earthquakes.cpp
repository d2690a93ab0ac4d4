// earthquakes.cpp: what has each seismic network reported, and how late did it become known?
#include "earthquakes.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace earthquakes {

namespace {

using std::chrono::milliseconds;

milliseconds late_after(const Settings& settings) {
  if (!settings.has_late_after()) return std::chrono::hours(1);
  return milliseconds(settings.late_after().seconds() * 1000 +
                      settings.late_after().nanos() / 1'000'000);
}

}  // namespace

weir::Result<Summary> follow(const Earthquake& event, Network& network, const Settings& settings,
                             weir::Context& ctx) {
  if (event.net().empty()) return weir::Reject("an event needs `net`, the network that saw it");
  if (event.time() <= 0) return weir::Reject("an event needs `time`, when it happened");

  network.set_events(network.events() + 1);

  // Of two equally strong ones the first stays.
  const bool measured = event.has_mag() && !std::isnan(event.mag());
  if (measured && (!network.has_strongest() || event.mag() > network.strongest().mag())) {
    Strongest& strongest = *network.mutable_strongest();
    strongest.set_id(event.id());
    strongest.set_mag(event.mag());
    strongest.set_place(event.place());
    strongest.set_time(event.time());
  }

  // Arrival is the record's timestamp and never a clock: a replay gives the same State on any day.
  const milliseconds delay = ctx.record().timestamp() - ctx.event_time();
  if (delay > late_after(settings)) {
    network.set_late(network.late() + 1);
    network.set_late_total_ms(network.late_total_ms() + delay.count());
    network.set_late_max_ms(std::max<std::int64_t>(network.late_max_ms(), delay.count()));
  }

  Summary summary;
  summary.set_net(event.net());
  summary.set_events(network.events());
  if (network.has_strongest()) *summary.mutable_strongest() = network.strongest();
  summary.set_late(network.late());
  if (network.late() > 0) summary.set_late_mean_ms(network.late_total_ms() / network.late());
  summary.set_late_max_ms(network.late_max_ms());
  return summary;
}

}  // namespace earthquakes
