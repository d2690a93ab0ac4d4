#include <doctest/doctest.h>
#include <weir/test_driver.h>

#include <string>

// The States are looked at as JSON: the three builds share no header.
namespace {

constexpr const char* a_visit = R"({"userId": "ana", "seconds": 1.5})";

}  // namespace

// [evolve]
TEST_CASE("2.0 goes on where 1.0 was and after a rollback 1.0 goes on where 2.0 was") {
  weir::TestDriver host("page_time_v1");
  host.pipe("input", a_visit);
  CHECK(host.state_json("ana") == R"({"seconds":1.5})");

  host.reload("page_time_v2");
  host.pipe("input", a_visit);
  CHECK(host.state_json("ana") == R"({"seconds":3,"totalMs":"3000"})");

  host.rollback();
  host.pipe("input", a_visit);
  CHECK(host.state_json("ana") == R"({"seconds":4.5})");  // total_ms is still there, unread

  host.reload("page_time_v2");  // migrates again: 1.0 has written since
  host.pipe("input", a_visit);
  CHECK(host.state_json("ana") == R"({"seconds":6,"totalMs":"6000"})");
}
// [evolve]

// [unreadable]
TEST_CASE("what 3.0 has made of its records is taken back when 2.0 comes back") {
  weir::TestDriver host("page_time_v2");
  host.pipe("input", a_visit);

  host.reload("page_time_v3");
  host.pipe("input", a_visit);
  CHECK(host.state_json("ana") == R"({"totalMs":"3000"})");

  host.rollback();  // to the State of before; the records since then come again
  CHECK(host.state_json("ana") == R"({"seconds":3,"totalMs":"3000"})");
}
// [unreadable]
