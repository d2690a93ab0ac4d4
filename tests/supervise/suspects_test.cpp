#include "supervise/suspects.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace weir::host {
namespace {

v1::CrashReport crash(const std::string& slot, std::int64_t first, std::int64_t last) {
  v1::CrashReport report;
  static int number = 0;
  report.set_id(std::to_string(++number));
  report.set_counted(true);
  report.set_task("visits-0");
  report.set_resolver("count");
  report.set_sha256("build 1");
  report.set_slot(slot);
  if (first >= 0) {
    report.mutable_records()->set_first_offset(first);
    report.mutable_records()->set_last_offset(last);
  }
  return report;
}

v1::CrashReport crash(const std::string& slot, std::int64_t offset) {
  return crash(slot, offset, offset);
}

TEST_CASE("supervise/suspects: two crashes on one record set it aside by the newest report") {
  std::vector<v1::CrashReport> reports{crash("resolve", 7)};
  CHECK(suspects_of(reports, "visits-0").crashed.empty());
  reports.push_back(crash("resolve", 8));
  CHECK(suspects_of(reports, "visits-0").crashed.empty());
  reports.push_back(crash("prepare", 7));
  const Suspects found = suspects_of(reports, "visits-0");
  REQUIRE(found.crashed.size() == 1);
  CHECK(found.crashed[0].at == 7);
  CHECK(!found.crashed[0].timer);
  CHECK(found.crashed[0].report == reports.back().id());
  CHECK(suspects_of(reports, "visits-1").empty());
}

TEST_CASE("supervise/suspects: another build or another resolver is another count") {
  const v1::CrashReport one = crash("resolve", 7);
  for (const int change : {0, 1, 2}) {
    v1::CrashReport other = crash("resolve", 7);
    if (change == 0) other.set_counted(false);
    if (change == 1) other.set_sha256("build 2");
    if (change == 2) other.set_resolver("sum");
    CHECK(suspects_of(std::vector{one, other}, "visits-0").crashed.empty());
  }
}

TEST_CASE("supervise/suspects: prepare() over several records and then over the one") {
  std::vector<v1::CrashReport> reports{crash("prepare", 0, 999)};
  Suspects found = suspects_of(reports, "visits-0");
  CHECK(found.crashed.empty());
  REQUIRE(found.careful.size() == 1);
  CHECK(found.careful[0].first == 0);
  CHECK(found.careful[0].last == 999);

  reports.push_back(crash("prepare", 12));
  found = suspects_of(reports, "visits-0");
  REQUIRE(found.crashed.size() == 1);
  CHECK(found.crashed[0].at == 12);
  CHECK(found.careful.size() == 1);  // there may be another one

  // What crashes elsewhere in the range has crashed once.
  reports.push_back(crash("resolve", 30));
  CHECK(suspects_of(reports, "visits-0").crashed.size() == 1);
  reports.push_back(crash("prepare", 1000));
  CHECK(suspects_of(reports, "visits-0").crashed.size() == 1);
}

TEST_CASE("supervise/suspects: a timer is its key and its time") {
  const auto ring = [](const std::string& key, std::int64_t at) {
    v1::CrashReport report = crash("notify", -1);
    report.set_timer_ms(at);
    report.set_key(key);
    return report;
  };
  CHECK(suspects_of(std::vector{ring("ana", 5), ring("bob", 5), ring("ana", 6)}, "visits-0")
            .crashed.empty());
  const Suspects found = suspects_of(std::vector{ring("ana", 5), ring("ana", 5)}, "visits-0");
  REQUIRE(found.crashed.size() == 1);
  CHECK(found.crashed[0].timer);
  CHECK(found.crashed[0].at == 5);
  CHECK(found.crashed[0].key == "ana");
}

TEST_CASE(
    "supervise/suspects: three in a row without a record and without a commit in between halt") {
  const auto save = [](std::uint64_t commits) {
    v1::CrashReport report = crash("state_save", -1);
    report.set_key("ana");
    report.set_commits(commits);
    return report;
  };
  CHECK(suspects_of(std::vector{save(9), save(0)}, "visits-0").stuck.empty());
  CHECK(suspects_of(std::vector{save(9), save(0), save(0)}, "visits-0").stuck.size() == 1);
  CHECK(suspects_of(std::vector{save(9), save(1), save(0)}, "visits-0").stuck.empty());
  CHECK(suspects_of(std::vector{save(0), crash("resolve", 7), save(0), save(0)}, "visits-0")
            .stuck.empty());
  CHECK(suspects_of(std::vector{save(0), save(0), save(0), crash("resolve", 7)}, "visits-0")
            .stuck.empty());
}

}  // namespace
}  // namespace weir::host
