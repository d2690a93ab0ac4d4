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

  CHECK(count_ips(visit("ana", "10.0.0.1"), state).unique_ips() == 1);
  CHECK(count_ips(visit("ana", "10.0.0.1"), state).unique_ips() == 1);
  CHECK(count_ips(visit("ana", "10.0.0.2"), state).unique_ips() == 2);
}
