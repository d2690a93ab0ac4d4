#include "resolve/call.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "base/limits.hpp"

namespace weir::host {

namespace {

struct Fixture {
  Fixture() {
    fill_call_functions(host);
    call.begin(&arena);
  }
  Arena arena;
  Call call;
  weir_host host{};
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "call: reserve gives memory up to the limit of the slot") {
  call.reserve_bytes_max = 100;

  CHECK(host.reserve(&call.abi, 100) != nullptr);
  CHECK(host.reserve(&call.abi, 0) != nullptr);
  CHECK_FALSE(call.limit_hit);
  CHECK(host.reserve(&call.abi, 101) == nullptr);
  CHECK(call.limit_hit);
  CHECK(call.reason.find("101 B") != std::string::npos);
  CHECK(call.reason.find("100 B") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture,
                  "call: the limit that was hit stays the reason whatever the plugin says") {
  CHECK(host.reserve(&call.abi, 1) == nullptr);
  host.set_reason(&call.abi, "my own", 6);

  CHECK(call.reason == "reserve() has no use in this slot");
}

TEST_CASE_FIXTURE(Fixture,
                  "call: features keep their order and keys and outlive the plugin's key") {
  call.output_count = 2;
  std::string key = "ana";
  std::uint8_t* first = host.emit(&call.abi, 1, to_abi(key), 2);
  REQUIRE(first != nullptr);
  std::memcpy(first, "hi", 2);
  key = "gone";
  REQUIRE(host.emit(&call.abi, 0, absent_bytes, 0) != nullptr);

  REQUIRE(call.features.size() == 2);
  CHECK(call.features[0].output == 1);
  CHECK(call.features[0].has_key);
  CHECK(call.features[0].key == "ana");
  CHECK(call.features[0].bytes == "hi");
  CHECK_FALSE(call.features[1].has_key);
  CHECK(call.features[1].bytes.empty());
  CHECK(call.feature_bytes == 5);
}

TEST_CASE_FIXTURE(Fixture, "call: an output that was not declared is refused") {
  CHECK(host.emit(&call.abi, 0, absent_bytes, 1) == nullptr);
  CHECK(call.limit_hit);

  call.begin(&arena);
  call.output_count = 1;
  CHECK(host.emit(&call.abi, 1, absent_bytes, 1) == nullptr);
  CHECK(call.reason == "emit() to output 1, the resolver declares 1");
  CHECK(call.features.empty());
}

TEST_CASE_FIXTURE(Fixture, "call: a feature above the limit is refused") {
  call.output_count = 1;

  CHECK(host.emit(&call.abi, 0, absent_bytes, feature_bytes_max + 1) == nullptr);
  CHECK(call.limit_hit);
  CHECK(call.features.empty());
}

TEST_CASE_FIXTURE(Fixture, "call: a call that only emits empty features ends") {
  call.output_count = 1;
  std::size_t count = 0;
  while (count < (std::size_t{1} << 24) && host.emit(&call.abi, 0, absent_bytes, 0) != nullptr) {
    ++count;
  }

  CHECK(count == 1u << 20);
  CHECK(call.limit_hit);
}

TEST_CASE_FIXTURE(Fixture, "call: a repeat meets the same limits and keeps nothing") {
  call.output_count = 1;
  call.suppress = true;
  std::uint8_t* bytes = host.emit(&call.abi, 0, absent_bytes, 3);
  REQUIRE(bytes != nullptr);
  std::memcpy(bytes, "abc", 3);
  host.set_reason(&call.abi, "why", 3);

  CHECK(call.features.empty());
  CHECK(call.reason.empty());
  CHECK(call.feature_bytes == 3);
}

TEST_CASE_FIXTURE(Fixture, "call: a long reason is cut between two characters") {
  const std::string text = std::string(reason_bytes_max - 1, 'x') + "\u00e9 and more";
  host.set_reason(&call.abi, text.data(), text.size());

  CHECK(call.reason == std::string(reason_bytes_max - 1, 'x'));
}

TEST_CASE_FIXTURE(Fixture, "call: a reason that is not UTF-8 becomes readable") {
  host.set_reason(&call.abi, "bad \xff", 5);

  CHECK(call.reason == "bad \\xff");
}

TEST_CASE_FIXTURE(Fixture, "call: the last reason counts and begin forgets everything") {
  host.set_reason(&call.abi, "one", 3);
  host.set_reason(&call.abi, "two", 3);
  host.retry_after(&call.abi, -5);
  CHECK(call.retry_after_ms == 0);
  host.retry_after(&call.abi, 250);
  host.discard_state(&call.abi);
  CHECK(call.reason == "two");
  CHECK(call.retry_after_ms == 250);
  CHECK(call.discard);

  call.begin(&arena);
  CHECK(call.reason.empty());
  CHECK(call.retry_after_ms == 0);
  CHECK_FALSE(call.discard);
  CHECK(call.abi.struct_size == sizeof(weir_call));
}

}  // namespace weir::host
