// [test]
#include "unique_ips.h"

#include <doctest/doctest.h>

using namespace unique_ips;

namespace {

Visit visit(const char* user, const char* ip) {
  Visit made;
  made.set_user_id(user);
  made.set_ip(ip);
  return made;
}

}  // namespace

TEST_CASE("an address counts once") {
  Ips state;

  CHECK(count_ips(visit("ana", "a"), state).unique_ips() == 1);
  CHECK(count_ips(visit("ana", "a"), state).unique_ips() == 1);
  CHECK(count_ips(visit("ana", "b"), state).unique_ips() == 2);
}

TEST_CASE("users are independent") {
  Ips ana, bob;

  count_ips(visit("ana", "a"), ana);

  CHECK(count_ips(visit("bob", "a"), bob).unique_ips() == 1);
  CHECK(count_ips(visit("bob", "a"), bob).user_id() == "bob");
}
// [test]
