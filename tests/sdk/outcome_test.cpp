// What resolvers return, and what tests of resolvers look at.
#include <doctest/doctest.h>
#include <weir/out.h>
#include <weir/outcome.h>

#include <optional>
#include <string>

#include "kitchen.pb.h"

TEST_SUITE_BEGIN("sdk");

TEST_CASE("a Result is a value or a refusal with its reason") {
  using namespace std::chrono_literals;
  const weir::Result<int> value = 5;
  const weir::Result<int> skip = weir::Skip();
  const weir::Result<int> reject = weir::Reject("why");
  const weir::Result<int> retry = weir::RetryAfter(2s);
  const weir::Result<int> fatal = weir::Fatal("end");

  CHECK(value.ok());
  CHECK(*value == 5);
  CHECK(value.status() == weir::Status::ok);
  CHECK(value.reason().empty());
  CHECK(value.refusal() == nullptr);
  CHECK(skip.status() == weir::Status::skip);
  CHECK(reject.status() == weir::Status::reject);
  CHECK(reject.reason() == "why");
  CHECK(retry.status() == weir::Status::retry);
  CHECK(retry.refusal()->wait == 2000ms);
  CHECK_FALSE(fatal);
  CHECK(fatal.reason() == "end");
}

TEST_CASE("a Result of optional takes a value or nothing or a refusal") {
  const weir::Result<std::optional<std::string>> value = std::string("x");
  const weir::Result<std::optional<std::string>> nothing = std::nullopt;
  const weir::Result<std::optional<std::string>> refusal = weir::Reject("r");

  CHECK(**value == "x");
  CHECK(nothing.ok());
  CHECK_FALSE(nothing->has_value());
  CHECK_FALSE(refusal.ok());
}

TEST_CASE("a Result of nothing is ok unless it refuses") {
  const weir::Result<void> ok;
  const weir::Result<void> refusal = weir::Fatal("f");

  CHECK(ok.ok());
  CHECK(ok.reason().empty());
  CHECK(refusal.status() == weir::Status::fatal);
  CHECK(refusal.reason() == "f");
}

TEST_CASE("a collecting Out keeps features and their own keys") {
  weir::CollectingOut<kitchen::Count> out;
  kitchen::Count count;
  count.set_sum(1);
  weir::Out<kitchen::Count>& door = out;

  door.emit(count);
  count.set_sum(2);
  door.emit(count, "own");

  REQUIRE(out.emitted().size() == 2);
  CHECK(out.emitted()[0].feature.sum() == 1);
  CHECK(out.emitted()[0].key.empty());
  CHECK(out.emitted()[1].feature.sum() == 2);
  CHECK(out.emitted()[1].key == "own");
}
