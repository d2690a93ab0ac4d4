#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "run_weir.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {
namespace {

using test::Outcome;
using test::run_weir;

/// produce and consume on a log of its own.
class LogDirectory {
 public:
  Outcome produce(const std::string& topic, const std::string& input,
                  std::vector<std::string> options = {}) const {
    options.insert(options.begin(), {"produce", topic, "--log", log()});
    return run_weir(options, input);
  }
  Outcome consume(const std::string& topic, std::vector<std::string> options = {}) const {
    options.insert(options.begin(), {"consume", topic, "--log", log()});
    return run_weir(options);
  }
  std::string log() const { return directory_ / "log"; }

 private:
  test::TempDir directory_;
};

}  // namespace

TEST_CASE("records: what consume prints is what produce was given") {
  const LogDirectory log;
  const std::string lines =
      R"({"partition":0,"offset":0,"timestamp":5,"key":"a","value":{"n":1.50,"big":12345678901234567890}})"
      "\n"
      R"({"partition":0,"offset":1,"timestamp":6,"key":null,"value":"text \" \\ \n \u0001 grün"})"
      "\n"
      R"({"partition":0,"offset":2,"timestamp":7,"key":"","value":null,"headers":{"h":"x","n":null,"b":{"base64":"/w=="}}})"
      "\n"
      R"({"partition":0,"offset":3,"timestamp":8,"key_base64":"/wA=","value_base64":"gA=="})"
      "\n"
      R"({"partition":0,"offset":4,"timestamp":-9,"key":"k","value":[1,2]})"
      "\n";

  const Outcome produced = log.produce("t", lines);

  CHECK(produced.code == 0);
  CHECK(produced.out.empty());
  CHECK(produced.err.starts_with("5 records appended to t (1 partition)"));
  const Outcome consumed = log.consume("t");
  CHECK(consumed.code == 0);
  CHECK(consumed.err.empty());
  // Partitions are merged by timestamp, and within one partition the order is that of offsets.
  CHECK(consumed.out == lines);
}

TEST_CASE("records: a topic that is made although the app has no use for it is named") {
  const test::TempDir directory;
  const std::string app = directory / "app.yaml";
  std::ofstream(app) << R"(
app: shop
plugins: [none.so]
sources:
  visits: {topic: visits, partitions: 3}
resolvers:
  count: {use: none/count, from: visits, to: {"*": features}}
sinks:
  features: {topic: features}
)";
  const auto produce = [&](const std::string& topic) {
    return run_weir({"produce", topic, "-c", app}, "{\"key\":\"a\"}\n").err;
  };

  CHECK(produce("vists").starts_with(
      "made topic vists, which app shop neither reads nor writes; did you mean \"visits\"?\n"
      "1 record appended to vists (1 partition)"));
  CHECK(produce("vists").starts_with("1 record appended to vists"));
  CHECK(produce("other").starts_with(
      "made topic other, which app shop neither reads nor writes; its topics: features, visits\n"));
  CHECK(produce("visits").starts_with("1 record appended to visits (3 partitions)"));
}

TEST_CASE("records: raw lines are values and keys come from a field") {
  const LogDirectory log;

  CHECK(
      log.produce("t", "{\"user\": \"ana\", \"n\": 1}\r\n{\"user\": 7}", {"--raw", "--key", "user"})
          .code == 0);

  const Outcome consumed = log.consume("t");
  CHECK(consumed.out.find("\"key\":\"ana\",\"value\":{\"user\": \"ana\", \"n\": 1}}") !=
        std::string::npos);
  CHECK(consumed.out.find("\"key\":\"7\"") != std::string::npos);
}

TEST_CASE("records: a bad line is named and the records before it stay") {
  struct Case {
    std::string line;
    std::string said;
  };
  const std::vector<Case> cases = {
      {"{\"key\":", "not JSON"},
      {"[1]", "expected a JSON object"},
      {"{\"vlaue\":1}", "unknown field \"vlaue\"; did you mean \"value\"?"},
      {"{\"key\":{}}", "key: expected a string or a number, found an object"},
      {"{\"timestamp\":\"yesterday\"}", "timestamp: \"yesterday\" is not a time"},
      {"{\"timestamp\":true}", "timestamp: expected milliseconds or a time, found a bool"},
      {"{\"partition\":3}", "partition 3 of t: it has partitions 0 to 0"},
      {"{\"partition\":-1}", "partition: expected a whole number"},
      {"{\"headers\":[]}", "headers: expected an object, found a list"},
      {"{\"headers\":{\"a\":1}}", "headers.a: expected a string, found a number"},
      {"{\"value_base64\":\"?\"}", "value_base64: \"?\" is not base64"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.line);
    const LogDirectory log;
    const Outcome outcome =
        log.produce("t", "{\"key\":\"a\"}\n\n" + one.line + "\n{\"key\":\"b\"}\n");
    CHECK(outcome.code == 65);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.starts_with("weir: error: stdin:3: " + one.said));
    CHECK(outcome.err.ends_with("; 1 record of the lines before it is in t\n"));
    const std::string kept = log.consume("t").out;
    CHECK(std::count(kept.begin(), kept.end(), '\n') == 1);
  }
}

TEST_CASE("records: equal keys share a partition and times are read in both forms") {
  const LogDirectory log;
  std::string lines;
  for (int i = 0; i < 300; ++i) {
    lines +=
        "{\"key\":\"k" + std::to_string(i % 10) + "\",\"timestamp\":\"1970-01-01T00:00:01Z\"}\n";
  }

  CHECK(log.produce("t", lines, {"--partitions", "4"}).code == 0);

  for (int p = 0; p < 4; ++p) {
    const std::string part = log.consume("t", {"--partition", std::to_string(p)}).out;
    // 30 records of each key, so every count is a multiple of it.
    CHECK(std::count(part.begin(), part.end(), '\n') % 30 == 0);
    if (!part.empty()) CHECK(part.find("\"timestamp\":1000,") != std::string::npos);
  }
  const Outcome wrong = log.produce("t", lines, {"--partitions", "5"});
  CHECK(wrong.code == 77);
}

TEST_CASE("records: reading begins and ends where it is told to") {
  const LogDirectory log;
  CHECK(log.produce("t",
                    "{\"key\":\"a\",\"timestamp\":1000}\n{\"key\":\"b\",\"timestamp\":2000}\n"
                    "{\"key\":\"c\",\"timestamp\":3000}\n")
            .code == 0);
  const auto keys = [&](std::vector<std::string> options) {
    std::string out;
    const std::string text = log.consume("t", std::move(options)).out;
    for (std::size_t at = text.find("\"key\":\""); at != text.npos;
         at = text.find("\"key\":\"", at + 1)) {
      out += text[at + 7];
    }
    return out;
  };
  CHECK(keys({}) == "abc");
  CHECK(keys({"--limit", "2"}) == "ab");
  CHECK(keys({"--from", "1"}) == "bc");
  CHECK(keys({"--from", "99"}) == "");
  CHECK(keys({"--from", "latest"}) == "");
  CHECK(keys({"--from", "1970-01-01T00:00:02Z"}) == "bc");
  CHECK(keys({"--from", "1", "--limit", "1", "--follow"}) == "b");

  const Outcome wrong = log.consume("t", {"--from", "erliest"});
  CHECK(wrong.code == 64);
  CHECK(wrong.err.find("expected earliest, latest, an offset or a time") != std::string::npos);
  CHECK(log.consume("t", {"--partition", "1"}).code == 64);
}

TEST_CASE("records: a topic or a log that is not there is said so and not made") {
  const LogDirectory log;

  const Outcome nothing = log.consume("t");
  CHECK(nothing.code == 69);
  CHECK(nothing.err.find("there is no log in ") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(log.log()));

  CHECK(log.produce("visits", "{}\n").code == 0);
  const Outcome misspelt = log.consume("vists");
  CHECK(misspelt.code == 69);
  CHECK(misspelt.err == "weir: error: there is no topic vists; did you mean \"visits\"?\n");
  CHECK(log.produce("white space", "{}\n").code != 0);
}

TEST_CASE("records: an input file that cannot be read is an error of its own") {
  const LogDirectory log;

  const Outcome outcome = log.produce("t", "", {"no-such-file.jsonl"});
  CHECK(outcome.code == 74);
  CHECK(outcome.err == "weir: error: cannot read no-such-file.jsonl: No such file or directory\n");
}

}  // namespace weir::host
