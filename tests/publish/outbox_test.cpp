#include "publish/outbox.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include <fmt/format.h>

namespace weir::host {

namespace {

std::string describe(std::string_view sink, const OutboxEntry& entry) {
  std::string text =
      fmt::format("{} {} {} {}", sink, entry.timestamp_ms, entry.key ? printable(*entry.key) : "-",
                  entry.value ? printable(*entry.value) : "-");
  for (const Header& header : entry.headers) {
    text += fmt::format(" {}={}", header.name, header.value ? printable(*header.value) : "-");
  }
  return text;
}

std::vector<std::string> read(const OutboxWriter& outbox) {
  std::vector<std::string> entries;
  for (const std::string_view chunk : outbox.chunks()) {
    const auto done = read_outbox(chunk, [&](std::string_view sink, const OutboxEntry& entry) {
      entries.push_back(describe(sink, entry));
      return Result<void>{};
    });
    REQUIRE(done.has_value());
  }
  return entries;
}

}  // namespace

TEST_CASE("outbox: absent and empty keys and values and headers come back as they went in") {
  OutboxWriter outbox({"features", std::string(dead_letter_sink)});
  const Header headers[] = {{"a", "1"}, {"a", std::nullopt}, {"", ""}};
  outbox.append({.sink = 0, .timestamp_ms = 1, .key = "k", .value = "v"});
  outbox.append({.sink = 1, .timestamp_ms = -2, .key = "", .value = "", .headers = headers});
  outbox.append({.sink = 0, .timestamp_ms = 3});

  CHECK(read(outbox) == std::vector<std::string>{"features 1 k v",
                                                 "#deadletters -2   a=1 a=- =", "features 3 - -"});
}

TEST_CASE("outbox: a truncated tail is gone also across chunks") {
  OutboxWriter outbox({"s"});
  const std::string big(100'000, 'x');
  std::size_t kept = 0;
  for (int i = 0; i < 10; ++i) outbox.append({.value = big});
  const auto here = outbox.position();
  kept = outbox.bytes();
  for (int i = 0; i < 10; ++i) outbox.append({.value = big});
  outbox.truncate(here);

  CHECK(read(outbox).size() == 10);
  CHECK(outbox.bytes() == kept);
  CHECK(outbox.entry_count() == 10);
  outbox.append({.value = "after"});
  CHECK(read(outbox).back() == "s 0 - after");
  outbox.clear();
  CHECK(outbox.empty());
  CHECK(outbox.chunks().empty());
}

TEST_CASE("outbox: damaged chunks are errors and never more than that") {
  OutboxWriter outbox({"one", "two"});
  const Header header{"name", "value"};
  for (int i = 0; i < 20; ++i) {
    outbox.append({.sink = 1, .key = "key", .value = "some value", .headers = {&header, 1}});
  }
  const std::string good(outbox.chunks()[0]);
  const auto ignore = [](std::string_view, const OutboxEntry&) { return Result<void>{}; };

  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto done = read_outbox(std::string_view(good).substr(0, size), ignore);
    if (!done) CHECK(done.error().code == Errc::corrupt);
  }
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    bad[random() % bad.size()] = static_cast<char>(random());
    if (const auto done = read_outbox(bad, ignore); !done) {
      ++refused;
      CHECK(done.error().code == Errc::corrupt);
    }
  }
  CHECK(refused > 1'000);
}

}  // namespace weir::host
