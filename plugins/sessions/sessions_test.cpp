#include "sessions.h"

#include <doctest/doctest.h>
#include <weir/test_driver.h>

using namespace sessions;
using std::chrono::minutes;

namespace {

// The same app, but with the host's clock: nothing has to come for a session to end.
constexpr const char* by_the_clock = R"(
app: sessions
plugins: [sessions.so]
sources: {clicks: {topic: clicks}}
resolvers:
  count_clicks:
    use: sessions/count_clicks
    from: clicks
    to: sessions
    settings: {silence_minutes: 30}
sinks: {sessions: {topic: sessions}}
)";

Click click_of(const char* user) {
  Click click;
  click.set_user_id(user);
  return click;
}

}  // namespace

// [clock]
TEST_CASE("a session ends after half an hour without a click") {
  weir::TestDriver host("sessions", by_the_clock);
  host.pipe("clicks", click_of("ana"));
  host.advance(minutes(29));
  host.pipe("clicks", click_of("ana"));
  host.advance(minutes(29));
  CHECK(host.features<Session>().empty());
  CHECK(host.state<OpenSession>("ana").clicks() == 2);

  host.advance(minutes(1));
  REQUIRE(host.features<Session>().size() == 1);
  CHECK(host.features<Session>()[0].user_id() == "ana");
  CHECK(host.features<Session>()[0].clicks() == 2);
  CHECK_FALSE(host.has_state("ana"));
}
// [clock]

TEST_CASE("a session that a crash interrupts ends once") {
  weir::TestDriver host("sessions", by_the_clock);
  host.pipe("clicks", click_of("ana"));
  host.commit();
  host.advance(minutes(45));
  CHECK(host.features<Session>().size() == 1);
  host.crash();  // its end was not committed
  CHECK(host.features<Session>().empty());
  host.recover();
  host.commit();
  host.advance(minutes(45));
  CHECK(host.features<Session>().size() == 1);
}

TEST_CASE("with the records' time the next record of anybody ends a session") {
  weir::TestDriver host("sessions");
  host.pipe("clicks", click_of("ana"), {.key = "ana"});
  host.advance(minutes(45));
  CHECK(host.features<Session>().empty());
  host.pipe("clicks", click_of("bob"), {.key = "bob"});
  REQUIRE(host.features<Session>().size() == 1);
  CHECK(host.features<Session>()[0].user_id() == "ana");
  CHECK(host.emitted()[0].key == "ana");
}

TEST_CASE("settings without a silence are refused") {
  const std::string yaml = by_the_clock;
  const std::size_t at = yaml.find("30");
  CHECK_THROWS_WITH_AS(weir::TestDriver("sessions", std::string(yaml).replace(at, 2, "0")),
                       doctest::Contains("silence_minutes: expected 1"), weir::TestDriverError);
}
