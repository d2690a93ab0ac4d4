#include "supervise/worker_page.hpp"

#include <unistd.h>

#include <string>

#include <doctest/doctest.h>

namespace weir::host {
namespace {

TEST_CASE("supervise/worker page: what a worker says outlives it") {
  auto page = WorkerPage::make();
  REQUIRE(page.has_value());
  page->begin_worker();
  CHECK(page->stage() == WorkerPage::Stage::starting);
  {
    auto worker = WorkerPage::inherit(dup(page->fd()));
    REQUIRE(worker.has_value());
    worker->set_stage(WorkerPage::Stage::running);
    worker->set_stage(WorkerPage::Stage::finishing);
    worker->count_commit();
    worker->set_answers({"shop", "/state", "127.0.0.1:9464", true});
  }
  CHECK(page->stage() == WorkerPage::Stage::finishing);
  CHECK(page->has_run());
  CHECK(page->commits() == 1);
  page->begin_worker();
  CHECK(page->stage() == WorkerPage::Stage::starting);
  CHECK(!page->has_run());
  CHECK(page->commits() == 0);
  CHECK(page->answers().app == "shop");
  CHECK(page->answers().state == "/state");
  CHECK(page->answers().listen == "127.0.0.1:9464");
  CHECK(page->answers().allow_remote);
}

TEST_CASE("supervise/worker page: a path that does not fit is none") {
  auto page = WorkerPage::make();
  REQUIRE(page.has_value());
  page->set_answers({"shop", std::string(5000, 'x'), "off", false});
  CHECK(page->answers().state.empty());
}

TEST_CASE("supervise/worker page: another descriptor is refused") {
  CHECK(WorkerPage::inherit(-1).error().code == Errc::usage);
  const auto page = WorkerPage::inherit(dup(STDERR_FILENO));
  REQUIRE(!page.has_value());
  CHECK(page.error().message.find("--worker is for `weir run` itself") != std::string::npos);
}

}  // namespace
}  // namespace weir::host
