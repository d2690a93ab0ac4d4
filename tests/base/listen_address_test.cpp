#include "base/listen_address.hpp"

#include <doctest/doctest.h>

namespace weir::host {

TEST_CASE("listen address: what it says is what it was read from") {
  for (const char* text : {"off", "unix:admin.sock", "unix:/run/weir/a b.sock", "127.0.0.1:0",
                           "127.8.7.6:9464", "0.0.0.0:65535", "[::1]:9464", "[::]:80"}) {
    CAPTURE(text);
    const auto address = parse_listen_address(text);
    REQUIRE(address);
    CHECK(address->text() == text);
  }
  CHECK(parse_listen_address("localhost:80")->text() == "127.0.0.1:80");
}

TEST_CASE("listen address: only this machine reaches a socket and loopback") {
  for (const char* text : {"off", "unix:/a", "127.0.0.1:0", "127.9.9.9:1", "[::1]:1"}) {
    CAPTURE(text);
    CHECK(parse_listen_address(text)->is_local());
  }
  for (const char* text : {"0.0.0.0:1", "128.0.0.1:1", "10.0.0.1:1", "[::]:1", "[fe80::1]:1",
                           "[::ffff:127.0.0.1]:1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_listen_address(text)->is_local());
  }
}

TEST_CASE("listen address: what is none is refused with the text") {
  for (const char* text : {"", "unix:", "9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1",
                           "127.0.0.1:65536", "127.0.0.1:8x", "weir.example:80", "::1:80", "[::1]",
                           "[127.0.0.1]:80", "[]:80", "1.2.3:4", "OFF"}) {
    CAPTURE(text);
    const auto address = parse_listen_address(text);
    REQUIRE_FALSE(address);
    CHECK(address.error().code == Errc::invalid);
    CHECK(address.error().message.find('"' + std::string(text) + '"') != std::string::npos);
  }
}

}  // namespace weir::host
