// [test]
#include "unique_ips.h"

#include <doctest/doctest.h>
#include <weir/test_driver.h>

using namespace unique_ips;

namespace {

Visit visit(const char* user, const char* ip) {
  Visit made;
  made.set_user_id(user);
  made.set_ip(ip);
  return made;
}

}  // namespace

// The function alone.
TEST_CASE("an address counts once") {
  Ips state;

  CHECK(count_ips(visit("ana", "a"), state).unique_ips() == 1);
  CHECK(count_ips(visit("ana", "a"), state).unique_ips() == 1);
  CHECK(count_ips(visit("ana", "b"), state).unique_ips() == 2);
}

// The built plugin in the real host, with the app's YAML.
TEST_CASE("users are independent and a crash loses only what was not committed") {
  weir::TestDriver host("unique_ips");
  host.pipe("visits", visit("ana", "a"), {.key = "ana"});
  host.pipe("visits", R"({"userId": "ana", "ip": "b"})", {.key = "ana"});
  host.pipe("visits", R"({"userId": "bob", "ip": "a"})", {.key = "bob"});
  CHECK(host.features<UniqueIps>().back().unique_ips() == 1);
  CHECK(host.state<Ips>("ana").seen_size() == 2);
  host.commit();

  host.pipe("visits", R"({"userId": "ana", "ip": "c"})", {.key = "ana"});
  CHECK(host.state<Ips>("ana").seen_size() == 3);
  host.crash();  // everything since the commit is gone ...
  CHECK(host.state<Ips>("ana").seen_size() == 2);
  host.recover();  // ... and its records come again
  CHECK(host.state<Ips>("ana").seen_size() == 3);
}
// [test]
