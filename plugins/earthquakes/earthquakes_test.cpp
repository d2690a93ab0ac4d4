#include "earthquakes.h"

#include <cmath>
#include <cstdint>
#include <string>

#include <doctest/doctest.h>
#include <weir/test_driver.h>

// The resolver is a plain function, so most of its test calls it. What surrounds it (JSON, key,
// event time, settings from the YAML, dead letters, commits) takes the host, at the end.
namespace {

using namespace earthquakes;

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t hour_ms = 60 * minute_ms;
constexpr std::int64_t happened_ms = 1'517'932'242'400;

struct Feed {
  Network network;
  Settings settings;

  /// One event, known `delay_ms` after it happened.
  Summary tell(const Earthquake& event, std::int64_t delay_ms) {
    weir::Result<Summary> summary = outcome(event, delay_ms);
    REQUIRE(summary.ok());
    return *summary;
  }

  weir::Result<Summary> outcome(const Earthquake& event, std::int64_t delay_ms) {
    const weir_host host{};
    weir_record record{};
    record.timestamp_ms = event.time() + delay_ms;
    weir_call call{};
    call.record = &record;
    call.event_time_ms = event.time();
    weir::Context ctx(host, call);
    return follow(event, network, settings, ctx);
  }
};

Earthquake quake(const std::string& id, double mag) {
  Earthquake event;
  event.set_id(id);
  event.set_net("us");
  event.set_mag(mag);
  event.set_place("near " + id);
  event.set_time(happened_ms);
  return event;
}

}  // namespace

TEST_CASE("the strongest event of a network stays and of equals the first") {
  Feed feed;

  feed.tell(quake("weak", 2.0), 0);
  feed.tell(quake("strong", 6.4), 0);
  feed.tell(quake("as strong", 6.4), 0);
  const Summary summary = feed.tell(quake("weaker", 6.3), 0);

  CHECK(summary.events() == 4);
  CHECK(summary.strongest().id() == "strong");
  CHECK(summary.strongest().place() == "near strong");
  CHECK(summary.strongest().mag() == 6.4);
  CHECK(summary.strongest().time() == happened_ms);
}

TEST_CASE("a magnitude below zero counts and an unknown one does not") {
  Feed feed;
  Earthquake unknown = quake("unknown", 0);
  unknown.clear_mag();

  feed.tell(unknown, 0);
  CHECK_FALSE(feed.network.has_strongest());
  feed.tell(quake("not a number", std::nan("")), 0);
  CHECK_FALSE(feed.network.has_strongest());

  feed.tell(quake("tiny", -0.8), 0);
  CHECK(feed.network.strongest().id() == "tiny");
  feed.tell(unknown, 0);
  CHECK(feed.network.strongest().id() == "tiny");
  CHECK(feed.network.events() == 4);
}

TEST_CASE("an event is late only beyond one hour and the mean is over the late ones") {
  Feed feed;

  feed.tell(quake("in time", 1), 5 * minute_ms);
  feed.tell(quake("just in time", 1), hour_ms);
  CHECK(feed.network.late() == 0);
  CHECK(feed.network.late_max_ms() == 0);

  feed.tell(quake("late", 1), 2 * hour_ms);
  const Summary summary = feed.tell(quake("barely late", 1), hour_ms + 1);

  CHECK(summary.events() == 4);
  CHECK(summary.late() == 2);
  CHECK(summary.late_mean_ms() == (3 * hour_ms + 1) / 2);
  CHECK(summary.late_max_ms() == 2 * hour_ms);
}

TEST_CASE("an event told before it happened is not late") {
  Feed feed;
  feed.tell(quake("early", 1), -5 * minute_ms);
  CHECK(feed.network.events() == 1);
  CHECK(feed.network.late() == 0);
  CHECK(feed.network.late_total_ms() == 0);
}

TEST_CASE("the settings say what late means") {
  Feed feed;
  feed.settings.mutable_late_after()->set_nanos(250'000'000);

  feed.tell(quake("in time", 1), 250);
  CHECK(feed.network.late() == 0);
  feed.tell(quake("late", 1), 251);
  CHECK(feed.network.late() == 1);

  feed.settings.mutable_late_after()->set_seconds(7200);
  feed.tell(quake("in time by now", 1), 2 * hour_ms + 250);
  CHECK(feed.network.late() == 1);
}

TEST_CASE("an event without network or time is rejected and changes nothing") {
  Feed feed;
  Earthquake nobody = quake("nobody", 9);
  nobody.clear_net();
  Earthquake never = quake("never", 9);
  never.clear_time();

  CHECK(feed.outcome(nobody, 0).reason() == "an event needs `net`, the network that saw it");
  CHECK(feed.outcome(never, 0).reason() == "an event needs `time`, when it happened");
  CHECK(feed.network.events() == 0);
  CHECK_FALSE(feed.network.has_strongest());
}

// In the feed, and so in the topic, an event looks like this.
constexpr const char* hualian = R"({"id": "us1000chhc", "net": "us", "mag": 6.4, "magType": "mww",
  "place": "22km NNE of Hualian, Taiwan", "time": 1517932242400, "updated": 1517962242400,
  "status": "reviewed", "type": "earthquake", "felt": 935, "tsunami": 1, "sig": 853,
  "longitude": 121.7, "latitude": 24.2, "depth": 11})";
constexpr const char* unfelt = R"({"id": "us1000chm0", "net": "us", "mag": null,
  "place": "nowhere", "time": 1517932242400, "felt": null})";

TEST_CASE("the app counts what the feed tells and lateness is arrival minus event time") {
  weir::TestDriver host("earthquakes");

  host.pipe("earthquakes", hualian, {.key = "us", .timestamp_ms = happened_ms + 2 * hour_ms});
  host.pipe("earthquakes", unfelt, {.key = "us", .timestamp_ms = happened_ms + minute_ms});

  const Network network = host.state<Network>("us");
  CHECK(network.events() == 2);
  CHECK(network.strongest().id() == "us1000chhc");
  CHECK(network.late() == 1);
  CHECK(network.late_max_ms() == 2 * hour_ms);
  REQUIRE(host.features<Summary>().size() == 2);
  CHECK(host.features<Summary>().back().late_mean_ms() == 2 * hour_ms);
  CHECK(host.dead_letters().empty());
}

TEST_CASE("what a crash undid is counted once when it comes again") {
  weir::TestDriver host("earthquakes");
  host.pipe("earthquakes", hualian, {.key = "us", .timestamp_ms = happened_ms});
  host.commit();
  host.pipe("earthquakes", hualian, {.key = "us", .timestamp_ms = happened_ms});

  host.crash();
  CHECK(host.state<Network>("us").events() == 1);

  host.recover();
  CHECK(host.state<Network>("us").events() == 2);
}

TEST_CASE("an event without a time becomes a dead letter with the reason") {
  weir::TestDriver host("earthquakes");

  host.pipe("earthquakes", R"({"net": "us"})", {.key = "us", .timestamp_ms = happened_ms});

  REQUIRE(host.dead_letters().size() == 1);
  CHECK(host.dead_letters().front().error == "rejected");
  CHECK(host.dead_letters().front().reason == "an event needs `time`, when it happened");
  CHECK_FALSE(host.has_state("us"));
}

TEST_CASE("the length of late is the setting of the app") {
  weir::TestDriver host("earthquakes", R"(
app: earthquakes
plugins: [earthquakes.so]
sources: {earthquakes: {topic: earthquakes, arrival: record}}
resolvers:
  networks: {use: earthquakes/follow, from: earthquakes, to: summaries, settings: {late_after: 90s}}
sinks: {summaries: {topic: summaries}}
)");

  host.pipe("earthquakes", hualian, {.key = "us", .timestamp_ms = happened_ms + 90'000});
  CHECK(host.state<Network>("us").late() == 0);
  host.pipe("earthquakes", hualian, {.key = "us", .timestamp_ms = happened_ms + 90'001});
  CHECK(host.state<Network>("us").late() == 1);
}
