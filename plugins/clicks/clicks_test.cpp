#include "clicks.h"

#include <doctest/doctest.h>
#include <weir/test_driver.h>

using namespace clicks;

namespace {

Click click_on(const char* page) {
  Click click;
  click.set_user_id("ana");
  click.set_page(page);
  return click;
}

}  // namespace

TEST_CASE("parse picks the clicks and passes over the rest") {
  UserEvent login, click, neither;
  login.mutable_login()->set_user_id("ana");
  *click.mutable_click() = click_on("home");

  REQUIRE(pick_click(click) != nullptr);
  CHECK(pick_click(click)->page() == "home");
  CHECK(pick_click(login) == nullptr);
  CHECK(pick_click(neither) == nullptr);
}

TEST_CASE("clicks are counted and a favourite page is told of once") {
  ClickState state = no_clicks();
  weir::CollectingOut<Favourite> favourites;

  for (int i = 0; i < 4; ++i) count_clicks(click_on("home"), state, favourites);
  const ClickCount last = count_clicks(click_on("help"), state, favourites);

  CHECK(last.clicks() == 5);
  REQUIRE(favourites.emitted().size() == 1);
  CHECK(favourites.emitted()[0].feature.page() == "home");
}

TEST_CASE("logins of the load test are passed over") {
  UserEvent event;
  event.mutable_login()->set_user_id("ana");
  const auto bytes = [](std::string_view text) {
    return weir_bytes{reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  };
  const weir_header origin{bytes("origin"), bytes("load-test")};
  weir_record record{};

  REQUIRE(pick_login(event, weir::Record(record)).has_value());
  CHECK(pick_login(event, weir::Record(record))->user_id() == "ana");
  record.headers = &origin;
  record.header_count = 1;
  CHECK_FALSE(pick_login(event, weir::Record(record)).has_value());
}

TEST_CASE("in the host each event reaches the resolver that it is for") {
  weir::TestDriver host("clicks");
  UserEvent login, click;
  login.mutable_login()->set_user_id("ana");
  *click.mutable_click() = click_on("home");

  host.pipe("events", login, {.key = "ana"});
  host.pipe("events", login, {.key = "ana", .headers = {{"origin", "load-test"}}});
  for (int i = 0; i < 3; ++i) host.pipe("events", click, {.key = "ana"});
  host.pipe("events", "{}", {.key = "ana"});

  CHECK(host.features<LoginSeen>().size() == 1);
  CHECK(host.features<ClickCount>().size() == 3);
  REQUIRE(host.features<Favourite>().size() == 1);
  CHECK(host.features<Favourite>()[0].page() == "home");
  for (const weir::EmittedRecord& record : host.emitted()) CHECK(record.key == "ana");
  CHECK(host.state<ClickState>("ana").clicks() == 3);
  CHECK(host.state<ClickState>("ana").favourite_from() == 3);
}
