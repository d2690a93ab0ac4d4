#include "transactions.h"

#include <doctest/doctest.h>
#include <weir/test_driver.h>

using namespace transactions;

namespace {

StreamMessage message(const char* id, const char* status) {
  StreamMessage made;
  made.set_transaction_id(id);
  made.set_status(status);
  return made;
}

}  // namespace

TEST_CASE("a message becomes a transaction") {
  const weir::Result<Transaction> feature = map_transaction(message("t-1", "settled"));

  REQUIRE(feature.ok());
  CHECK(feature->uuid() == "t-1");
  CHECK(feature->status() == "settled");
}

TEST_CASE("a message without an id is rejected with the reason") {
  const weir::Result<Transaction> feature = map_transaction(message("", "settled"));

  CHECK(feature.status() == weir::Status::reject);
  CHECK(feature.reason() == "transaction_id is empty");
}

TEST_CASE("test traffic is skipped") {
  CHECK(map_transaction(message("t-1", "test")).status() == weir::Status::skip);
}

TEST_CASE("in the host a rejected record is set aside with the reason and the others go on") {
  weir::TestDriver host("transactions");

  host.pipe("payments", R"({"status": "settled", "amountCents": "99"})", {.key = "?"});
  host.pipe("payments", R"({"transactionId": "t-2", "status": "test"})", {.key = "t-2"});
  host.pipe("payments", message("t-1", "settled"), {.key = "t-1"});

  REQUIRE(host.features<Transaction>().size() == 1);
  CHECK(host.features<Transaction>()[0].uuid() == "t-1");
  REQUIRE(host.dead_letters().size() == 1);
  CHECK(host.dead_letters()[0].error == "rejected");
  CHECK(host.dead_letters()[0].reason == "transaction_id is empty");
  CHECK(host.dead_letters()[0].key == "?");
  CHECK(host.count("skipped") == 1);
}
