// Plugins of ABI 1.0 in today's host: by_hand.so and by_sdk.so in WEIR_PLUGIN_DIR. They do the
// same.
#include <doctest/doctest.h>
#include <weir/test_driver.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "frozen.pb.h"

namespace {

using namespace std::chrono_literals;

constexpr std::string_view yaml = R"(
app: frozen
log: {embedded: {}}
plugins: [PLUGIN.so]
sources:
  commands: {topic: commands, format: text, rejected: dead_letter}
  lines: {topic: lines, format: protobuf}
resolvers:
  count:
    use: frozen/count
    from: commands
    settings: {step: "10"}
    to: {counts: counts, notes: notes}
  pass: {use: frozen/pass, from: lines, to: lines}
sinks:
  counts: {topic: counts, format: json}
  notes: {topic: notes, format: json}
  lines: {topic: passed, format: protobuf}
)";

std::string app_of(std::string_view plugin) {
  std::string text(yaml);
  const std::string_view place = "PLUGIN";
  return text.replace(text.find(place), place.size(), plugin);
}

constexpr int protobuf_of_binaries = 3'021'012;

/// by_sdk.so where the host can load it. One that was built for another libprotobuf is refused.
std::vector<std::string_view> plugins() {
  try {
    weir::TestDriver host("by_sdk", app_of("by_sdk"));
  } catch (const weir::TestDriverError& error) {
    if (GOOGLE_PROTOBUF_VERSION == protobuf_of_binaries) throw;
    CHECK(std::string_view(error.what()).find("it is built with Protobuf") != std::string::npos);
    return {"by_hand"};
  }
  return {"by_hand", "by_sdk"};
}

/// Everything that a test does, once for each of the plugins.
template <typename Test>
void for_each_plugin(Test test) {
  for (const std::string_view plugin : plugins()) {
    CAPTURE(plugin);
    weir::TestDriver host(plugin, app_of(plugin));
    test(host);
  }
}

void tell(weir::TestDriver& host, std::string_view command) {
  host.pipe("commands", command, {.key = "ana", .partition = 0});
}

std::uint64_t count_of(const weir::TestDriver& host, std::string_view key = "ana") {
  return host.state<frozen::Count>(key).count();
}

}  // namespace

TEST_CASE("frozen: States change and features come out and both outlive a crash") {
  for_each_plugin([](weir::TestDriver& host) {
    tell(host, "add");
    host.commit();
    tell(host, "log");
    host.crash();
    host.recover();
    tell(host, "add");

    CHECK(count_of(host) == 30);
    const auto features = host.features<frozen::Count>();
    REQUIRE(features.size() == 3);
    CHECK(features[2].count() == 30);
    CHECK(host.emitted()[2].key == "ana");
    CHECK(host.emitted()[2].value == R"({"count":"30"})");
  });
}

TEST_CASE("frozen: headers take the place of key and time and a feature has its own key") {
  for_each_plugin([](weir::TestDriver& host) {
    host.pipe("commands", "note bob",
              {.key = "ana",
               .timestamp_ms = 7,
               .headers = {{"key", "eve"}, {"time", "5"}},
               .partition = 0});

    CHECK_FALSE(host.has_state("ana"));
    CHECK(count_of(host, "eve") == 10);
    REQUIRE(host.features<frozen::Note>().size() == 1);
    CHECK(host.features<frozen::Note>()[0].text() == "eve@commands/0/0/5/7");
    const auto emitted = host.emitted();
    REQUIRE(emitted.size() == 2);
    for (const auto& record : emitted) {
      CHECK(record.key == (record.sink == "notes" ? "bob" : "eve"));
      CHECK(record.timestamp_ms == 5);
    }
  });
}

TEST_CASE("frozen: what is left out or refused leaves no trace") {
  for_each_plugin([](weir::TestDriver& host) {
    for (const char* command : {"add", "nothing", "unreadable", "ignore", "refuse", "add"}) {
      tell(host, command);
    }
    host.pipe_null("commands", {.key = "ana", .partition = 0});

    CHECK(count_of(host) == 20);
    CHECK(host.count("skipped") >= 2);
    REQUIRE(host.dead_letters().size() >= 2);
    CHECK(host.dead_letters()[0].reason.find("cannot be read") != std::string::npos);
    CHECK(host.dead_letters()[1].reason.find("not now and not ever") != std::string::npos);
  });
}

TEST_CASE("frozen: a record is asked for again before the later ones of its key") {
  for_each_plugin([](weir::TestDriver& host) {
    tell(host, "wait");
    tell(host, "add");
    host.pipe("commands", "add", {.key = "bob", .partition = 0});
    CHECK(host.waiting() == 2);
    CHECK_FALSE(host.has_state("ana"));
    CHECK(count_of(host, "bob") == 10);

    host.advance(24h);
    CHECK(host.waiting() == 0);
    REQUIRE(host.dead_letters().size() == 1);
    CHECK(host.dead_letters()[0].reason.ends_with("not yet"));
    CHECK(count_of(host) == 10);
  });
}

TEST_CASE("frozen: a timer fires once unless it was cleared") {
  for_each_plugin([](weir::TestDriver& host) {
    tell(host, "timer");
    host.advance(99ms);
    CHECK(count_of(host) == 10);
    host.advance(1s);
    CHECK(count_of(host) == 1'010);
    CHECK(host.count("fired") == 1);

    tell(host, "timer");
    tell(host, "stop");
    host.advance(1s);
    CHECK(count_of(host) == 1'030);
  });
}

TEST_CASE("frozen: a State can be ended and a task halted") {
  for_each_plugin([](weir::TestDriver& host) {
    tell(host, "add");
    tell(host, "forget");
    CHECK_FALSE(host.has_state("ana"));
    tell(host, "add");
    CHECK(count_of(host) == 10);

    tell(host, "halt");
    REQUIRE(host.halted().has_value());
    CHECK(host.halted()->find("the end") != std::string::npos);
    CHECK(count_of(host) == 10);
  });
}

TEST_CASE("frozen: a message comes as Protobuf bytes to a resolver without State") {
  for_each_plugin([](weir::TestDriver& host) {
    frozen::Line line;
    line.set_text("a line");
    host.pipe("lines", line);

    REQUIRE(host.features<frozen::Line>().size() == 1);
    CHECK(host.features<frozen::Line>()[0].text() == "a line");
  });
}

TEST_CASE("frozen: settings are checked") {
  for (const std::string_view plugin : plugins()) {
    CAPTURE(plugin);
    std::string app = app_of(plugin);
    app.replace(app.find("\"10\""), 4, "\"0\"");
    CHECK_THROWS_WITH_AS(weir::TestDriver(plugin, app),
                         doctest::Contains("step: expected 1 or more"), weir::TestDriverError);
  }
}

TEST_CASE("frozen: each goes on with the State of the other") {
  weir::TestDriver host("by_hand", app_of("by_hand"));
  tell(host, "timer");
  host.reload(plugins().back());
  tell(host, "add");
  host.reload("by_hand");
  host.advance(1s);
  tell(host, "add");

  CHECK(count_of(host) == 1'030);
}
