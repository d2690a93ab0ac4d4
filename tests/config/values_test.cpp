#include "config/values.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <vector>

#include "config/suggest.hpp"
#include "support/seed.hpp"

namespace weir::host {
namespace {

constexpr int cases = 20000;

}  // namespace

TEST_CASE("values: durations are sums of units") {
  CHECK(*parse_duration("250ms") == 250);
  CHECK(*parse_duration("5s") == 5000);
  CHECK(*parse_duration("2m") == 120000);
  CHECK(*parse_duration("1h30m") == 5400000);
  CHECK(*parse_duration("7d") == 604800000);
  CHECK(*parse_duration("1d2h3m4s5ms") == 93784005);
  CHECK(*parse_duration("infinity") == duration_infinity);
  CHECK(*parse_duration("0") == 0);
  CHECK(*parse_duration("36500d") == duration_ms_max);
  for (const char* wrong : {"", "5", "s", "5sec", "-5s", "1m1h", "1s1s", "1.5s", " 5s", "5s ",
                            "36501d", "36500d1ms", "Infinity", "5S", "5s3"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_duration(wrong));
  }
}

TEST_CASE("values: sizes know binary and decimal units") {
  CHECK(*parse_size("512") == 512);
  CHECK(*parse_size("64KiB") == 65536);
  CHECK(*parse_size("1GiB") == std::uint64_t{1} << 30);
  CHECK(*parse_size("64kB") == 64000);
  CHECK(*parse_size("1MB") == 1000000);
  CHECK(*parse_size("16777215TiB") == std::uint64_t{16777215} << 40);
  CHECK(*parse_size("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
  for (const char* wrong : {"", "KiB", "-1", "64KB", "64kb", "64K", "1.5MiB", "16777216TiB",
                            "18446744073709551616", "1 KiB"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_size(wrong));
  }
}

TEST_CASE("values: what is printed is read back as the same value") {
  const std::uint64_t seed = test::seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < cases; ++i) {
    const auto bits = random() >> (random() % 64);
    const auto ms = static_cast<std::int64_t>(bits % (duration_ms_max + 1));
    CAPTURE(ms);
    REQUIRE(parse_duration(format_duration(ms)));
    CHECK(*parse_duration(format_duration(ms)) == ms);
    const std::uint64_t bytes = bits << (random() % 40);
    CAPTURE(bytes);
    REQUIRE(parse_size(format_size(bytes)));
    CHECK(*parse_size(format_size(bytes)) == bytes);
    const std::int64_t time =
        static_cast<std::int64_t>(random() % 315'537'897'600'000) - 62'135'596'800'000;
    CAPTURE(time);
    REQUIRE(parse_time_ms(format_time_ms(time)));
    CHECK(*parse_time_ms(format_time_ms(time)) == time);
  }
}

TEST_CASE("values: random texts are read or refused with words") {
  const std::uint64_t seed = test::seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const std::string letters = "0123456789dhmsMKGTiB.-+: Zinfty";
  for (int i = 0; i < cases; ++i) {
    std::string text;
    for (auto left = random() % 24; left > 0; --left) text += letters[random() % letters.size()];
    CAPTURE(text);
    if (const auto duration = parse_duration(text)) {
      CHECK(*duration >= duration_infinity);
      CHECK(*duration <= duration_ms_max);
    } else {
      CHECK(duration.error().message.find("is not a duration") != std::string::npos);
    }
    if (const auto size = parse_size(text); !size) CHECK_FALSE(size.error().message.empty());
    if (const auto time = parse_time(text); !time) CHECK_FALSE(time.error().message.empty());
  }
}

TEST_CASE("values: times are RFC 3339 with a zone") {
  CHECK(*parse_time_ms("1970-01-01T00:00:00Z") == 0);
  CHECK(*parse_time_ms("2026-01-31T01:00:00+01:00") == *parse_time_ms("2026-01-31T00:00:00Z"));
  CHECK(*parse_time_ms("1969-12-31T23:59:59.5Z") == -500);
  CHECK(*parse_time_ms("2024-02-29t23:59:59.123456789z") == 1709251199123);
  CHECK(parse_time("1969-12-31T23:59:59.000000001Z")->nanos == 1);
  CHECK(format_time_ms(-500) == "1969-12-31T23:59:59.500Z");
  CHECK(format_time_ms(std::numeric_limits<std::int64_t>::max()) == "9223372036854775807");
  for (const char* wrong : {"", "2026", "2026-01-31", "2026-01-31T00:00:00", "2026-13-01T00:00:00Z",
                            "2026-02-29T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T00:00:60Z",
                            "2026-01-31T00:00:00.Z", "2026-01-31T00:00:00.1234567890Z",
                            "2026-01-31T00:00:00+1:00", "0000-01-01T00:00:00Z"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_time(wrong));
  }
}

TEST_CASE("values: names and topics keep their alphabets") {
  CHECK(check_name("a"));
  CHECK(check_name("unique_ips-2"));
  CHECK_FALSE(check_name(""));
  CHECK_FALSE(check_name("2a"));
  CHECK_FALSE(check_name("A"));
  CHECK_FALSE(check_name("a.b"));
  CHECK(check_name(std::string(63, 'a')));
  CHECK_FALSE(check_name(std::string(64, 'a')));
  CHECK(check_topic("Orders.v1_x-y"));
  CHECK(check_topic(std::string(249, 'a')));
  CHECK_FALSE(check_topic(std::string(250, 'a')));
  CHECK_FALSE(check_topic("."));
  CHECK_FALSE(check_topic(".."));
  CHECK_FALSE(check_topic("a b"));
}

TEST_CASE("values: a broker is a host and a port") {
  for (const char* text : {"kafka:9092", "kafka-1.example.com:1", "10.0.0.1:65535", "[::1]:9092",
                           "[fe80::1]:9092", "my_kafka:9092"}) {
    CAPTURE(text);
    CHECK(check_broker(text));
  }
  for (const char* text : {"", "kafka", ":9092", "kafka:", "kafka:0", "kafka:65536", "kafka:+1",
                           "kafka: 9092", "kafka:9092 ", "a b:9092", "::1:9092", "[]:9092",
                           "[kafka]:9092", "ssl://kafka:9092", "a:1,b:2", "kafka:9092/"}) {
    CAPTURE(text);
    CHECK_FALSE(check_broker(text));
  }
}

TEST_CASE("values: UTF-8 is told from what only looks like it") {
  CHECK(is_utf8("gr\xC3\xBCn \xE6\x97\xA5 \xF0\x9F\x98\x80"));
  std::size_t bad = 0;
  for (const char* wrong : {"a\x80", "a\xC3", "a\xC0\xAF", "a\xE0\x80\x80", "a\xED\xA0\x80",
                            "a\xF4\x90\x80\x80", "a\xF8\x88\x80\x80\x80", "a\xE6\x97"}) {
    CHECK_FALSE(is_utf8(wrong, &bad));
    CHECK(bad == 1);
  }
}

TEST_CASE("suggest: small slips are recognised and other words are not") {
  const std::vector<std::string> known = {"format", "topic", "late", "late_arrival_deadline",
                                          "partitions"};
  CHECK(nearest("formt", known) == "format");
  CHECK(nearest("Format", known) == "format");
  CHECK(nearest("fromat", known) == "format");
  CHECK(nearest("lateArrivalDeadline", known) == "late_arrival_deadline");
  CHECK(nearest("partion", known) == "partitions");
  CHECK(nearest("zzz", known) == "");
  CHECK(nearest("", known) == "");
  CHECK(suggestion("zzz", known, "known keys") ==
        "known keys: format, late, late_arrival_deadline, partitions, topic");
}

}  // namespace weir::host
