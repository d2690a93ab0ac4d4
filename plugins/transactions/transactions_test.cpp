#include "transactions.h"

#include <doctest/doctest.h>

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
