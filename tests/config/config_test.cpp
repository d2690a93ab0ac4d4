#include "config/config.hpp"

#include <doctest/doctest.h>
#include <google/protobuf/util/message_differencer.h>

#include <cstdlib>

#include "files.hpp"

namespace weir::host {
namespace {

Config load_valid(const std::string& name) {
  ::unsetenv("SHOP_LOG");
  auto config = Config::load(test::config_files() / "valid" / name);
  if (!config) FAIL(config.error().message);
  return *std::move(config);
}

std::string refusal(const std::string& text) {
  auto config = Config::parse(text, "app.yaml");
  return config ? "" : config.error().message;
}

constexpr const char* small_app =
    "app: a\nplugins: [p.so]\nsources: {in: {topic: in}}\nresolvers: {r: {use: p/r, from: in}}\n";

}  // namespace

TEST_CASE("config: an app of six lines is complete with every default") {
  const Config config = load_valid("minimal.yaml");
  const config::v1::App& app = config.app();

  CHECK(app.app() == "unique-ips");
  CHECK(app.log().embedded().path().empty());
  CHECK(config.log_directory("elsewhere") == "elsewhere/log");
  CHECK(app.log().embedded().sync());
  CHECK(app.state().path() == "state");
  CHECK(app.state().map_size() == std::uint64_t{64} << 30);
  CHECK(app.state().commit().interval() == 100);
  CHECK(app.state().commit().records() == 200000);
  CHECK(app.state().live().bytes() == std::uint64_t{256} << 20);
  CHECK(app.dead_letters().topic() == "unique-ips.deadletters");
  CHECK(app.workers() == 1);
  CHECK(app.shutdown_deadline() == 25000);

  const config::v1::Source& source = app.sources().at("visits");
  CHECK(source.late_arrival_deadline() == 30 * 60 * 1000);
  CHECK(source.partitions() == 1);
  CHECK(source.start() == "earliest");
  CHECK(source.arrival() == config::v1::CLOCK);
  CHECK(source.late() == config::v1::DROP);
  CHECK(source.undecodable() == config::v1::DEAD_LETTER);
  CHECK(source.partitioner() == config::v1::MURMUR2);
  CHECK(source.unknown_fields() == config::v1::REFUSE);

  const config::v1::Resolver& resolver = app.resolvers().at("count_ips");
  CHECK(resolver.to().at("*") == "features");
  CHECK(resolver.retry().attempts() == 10);
  CHECK(resolver.retry().wait() == 60000);
  CHECK(config.warnings().empty());
}

TEST_CASE("config: an absent log is the embedded one with its defaults") {
  const auto config = Config::parse(small_app, "app.yaml");

  REQUIRE(config);
  CHECK(config->app().log().has_embedded());
  CHECK(config->app().log().embedded().sync());
  CHECK(config->app().sources().at("in").late_arrival_deadline() == -1);
  CHECK(config->app().sources().at("in").format() == config::v1::JSON);
}

TEST_CASE("config: every setting arrives as it is written") {
  const Config config = load_valid("full.yaml");
  const config::v1::App& app = config.app();

  CHECK(app.log().embedded().path() == "/var/lib/weir/shop-log");
  CHECK_FALSE(app.log().embedded().sync());
  CHECK(app.state().live().bytes() == std::uint64_t{1} << 30);
  const config::v1::Source& clicks = app.sources().at("clicks");
  CHECK(clicks.late_arrival_deadline() == 90 * 60 * 1000);
  CHECK(clicks.undecodable() == config::v1::HALT);
  CHECK(clicks.required(1) == "at.ms");
  CHECK(app.resolvers().at("suspects").to().at("scores") == "scores");
  CHECK(app.sinks().at("pages").format() == config::v1::PROTOBUF);
  CHECK(app.sinks().at("alerts").format() == config::v1::JSON);
  CHECK(app.sinks().at("scores").file() == "scores-{task}.jsonl");
  CHECK(app.admin().listen() == "0.0.0.0:9464");
  CHECK(app.admin().allow_remote());
  CHECK(app.admin().stuck_after() == 120'000);
}

TEST_CASE("config: the effective configuration binds to the same app again") {
  for (const char* name : {"minimal.yaml", "full.yaml", "environment.yaml"}) {
    CAPTURE(name);
    const Config config = load_valid(name);
    const std::string text = config.effective();
    CAPTURE(text);
    const auto again =
        Config::parse(text, (test::config_files() / "valid" / "effective.yaml").string());

    REQUIRE(again);
    CHECK(google::protobuf::util::MessageDifferencer::Equals(again->app(), config.app()));
    CHECK(again->effective() == text);
  }
}

TEST_CASE("config: the effective configuration shows defaults in their own units") {
  const std::string text = load_valid("minimal.yaml").effective();

  CHECK(text.find("interval: 100ms") != text.npos);
  CHECK(text.find("map_size: 64GiB") != text.npos);
  CHECK(text.find("undecodable: dead_letter") != text.npos);
  CHECK(text.find("late_arrival_deadline: 30m") != text.npos);
}

TEST_CASE("config: brokers are a list or one text with commas or both") {
  ::setenv("WEIR_TEST_BROKERS", "a:1,b:2", 1);
  const std::vector<std::string> two = {"a:1", "b:2"};
  for (const char* written :
       {"[a:1, b:2]", "\"a:1,b:2\"", "' a:1 , b:2 '", "\"${WEIR_TEST_BROKERS}\"",
        "[\"${WEIR_TEST_BROKERS}\"]", "\n      - a:1\n      - b:2"}) {
    CAPTURE(written);
    const auto config = Config::parse(
        std::string(small_app) + "log:\n  kafka:\n    brokers: " + written + "\n", "app.yaml");
    REQUIRE(config);
    const auto& brokers = config->app().log().kafka().brokers();
    CHECK(std::vector<std::string>(brokers.begin(), brokers.end()) == two);
    CHECK(config->effective().find("brokers: [\"a:1\", \"b:2\"]") != std::string::npos);
  }
  const auto one =
      Config::parse(std::string(small_app) + "log: {kafka: {brokers: kafka:9092}}\n", "app.yaml");
  REQUIRE(one);
  CHECK(one->app().log().kafka().brokers(0) == "kafka:9092");
  CHECK(one->app().log().kafka().brokers_size() == 1);
}

TEST_CASE("config: brokers from a file are not printed") {
  const auto config =
      Config::parse(std::string(small_app) + "log: {kafka: {brokers: 'a:1,${file:broker.txt}'}}\n",
                    (test::config_files() / "valid" / "app.yaml").string());
  REQUIRE(config);
  CHECK(config->app().log().kafka().brokers(1) == "hidden.example:9092");
  CHECK(config->effective().find("hidden") == std::string::npos);
}

TEST_CASE("config: what a file brought is not printed") {
  const auto config = Config::parse(
      "app: a\nplugins: ['${file:token.txt}']\nsources: {in: {topic: in}}\n"
      "resolvers: {r: {use: p/r, from: in}}\n",
      (test::config_files() / "valid" / "app.yaml").string());

  REQUIRE(config);
  CHECK(config->app().plugins(0) == "s3cret: {not: yaml}");
  CHECK(config->effective().find("s3cret") == std::string::npos);
  CHECK(config->effective().find("plugins: [\"***\"]") != std::string::npos);
}

TEST_CASE("config: variables and defaults are filled into values and never read again") {
  ::setenv("WEIR_TEST_A", "x: {y: ${HOME}}", 1);
  ::setenv("WEIR_TEST_EMPTY", "", 1);
  const auto config = Config::parse(
      "app: a\nplugins: ['${WEIR_TEST_A}', 'a${WEIR_TEST_EMPTY}b', '${WEIR_TEST_EMPTY:-d}', "
      "$$HOME]\n"
      "sources: {in: {topic: in}}\nresolvers: {r: {use: p/r, from: in}}\n",
      "app.yaml");

  REQUIRE(config);
  CHECK(config->app().plugins(0) == "x: {y: ${HOME}}");
  CHECK(config->app().plugins(1) == "ab");
  CHECK(config->app().plugins(2) == "d");
  CHECK(config->app().plugins(3) == "$HOME");
}

TEST_CASE("config: words that YAML takes for other types stay text where text is expected") {
  const auto config = Config::parse(
      "app: no\nplugins: [yes, 1.0, true, 0777, 2026-01-31]\nsources: {in: {topic: 010}}\n"
      "resolvers: {r: {use: p/r, from: in}}\n",
      "app.yaml");

  REQUIRE(config);
  CHECK(config->app().app() == "no");
  CHECK(config->app().plugins(1) == "1.0");
  CHECK(config->app().plugins(3) == "0777");
  CHECK(config->app().sources().at("in").topic() == "010");
}

TEST_CASE("config: a source that nobody reads and a sink without writer are warnings") {
  const auto config = Config::parse(
      "app: a\nplugins: [p.so]\nsources:\n  in: {topic: in}\n  idle: {topic: idle}\n"
      "resolvers: {r: {use: p/r, from: in}}\nsinks: {out: {topic: out}}\n",
      "app.yaml");

  REQUIRE(config);
  const std::string text = config->render(config->warnings());
  CHECK(text.find("app.yaml:5:3: warning: no resolver reads sources.idle\n") != text.npos);
  CHECK(text.find("app.yaml:7:9: warning: no resolver writes to sinks.out\n") != text.npos);
  CHECK(text.find("app.yaml: 2 warnings") != text.npos);
}

TEST_CASE("config: later checks point at values and at what surrounds an absent one") {
  const auto config = Config::parse(small_app, "app.yaml");

  REQUIRE(config);
  CHECK(config->at("resolvers.r.use", "", "").column == 22);
  CHECK(config->at("plugins.0", "", "").line == 2);
  CHECK(config->at("plugins.0", "", "").column == 11);
  CHECK(config->at("resolvers.r.to", "", "").column == 13);
  CHECK(config->at("state.path", "", "").line == 0);
  CHECK(config->render(
            {config->at("resolvers.r.use", "plugin p has no resolver r", "did you mean \"s\"?")}) ==
        "app.yaml:4:22: error: plugin p has no resolver r\n"
        "     4 | resolvers: {r: {use: p/r, from: in}}\n"
        "       |                      ^\n"
        "  hint: did you mean \"s\"?\n"
        "app.yaml: 1 error");
}

TEST_CASE("config: paths are relative to the YAML file") {
  const auto config = Config::parse(small_app, "/etc/weir/app.yaml");

  REQUIRE(config);
  CHECK(config->resolve_path("plugins/../p.so") == "/etc/weir/p.so");
  CHECK(config->resolve_path("/opt/p.so") == "/opt/p.so");
}

TEST_CASE("config: a file that cannot be read says why") {
  const auto missing = Config::load("no-such-folder/app.yaml");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Errc::config);
  CHECK(missing.error().message ==
        "no-such-folder/app.yaml: cannot read the app's YAML: No such file or directory");

  const auto folder = Config::load(test::config_files());
  REQUIRE_FALSE(folder);
  CHECK(folder.error().message.find("it is a directory") != std::string::npos);
}

TEST_CASE("config: a file above the limit is refused before it is parsed") {
  const std::string text = refusal(small_app + std::string(2 << 20, '#'));

  CHECK(text.find("the limit is 1MiB") != text.npos);
}

TEST_CASE("config: a byte order mark is not part of the first key") {
  CHECK(refusal(std::string("\xEF\xBB\xBF") + small_app).empty());
}

TEST_CASE("config: line ends of Windows change nothing") {
  std::string text;
  for (const char c : std::string(small_app))
    text += c == '\n' ? std::string("\r\n") : std::string(1, c);

  CHECK(refusal(text).empty());
}

TEST_CASE("config: the log's directory can be named and an app may use JSON for its YAML") {
  const auto config = Config::parse(
      R"({"app": "a", "log": {"embedded": {"path": "l"}}, "plugins": ["p.so"],
          "sources": {"in": {"topic": "in"}}, "resolvers": {"r": {"use": "p/r", "from": "in"}}})",
      "app.yaml");

  REQUIRE(config);
  CHECK(config->log_directory("elsewhere") == "l");
}

}  // namespace weir::host
