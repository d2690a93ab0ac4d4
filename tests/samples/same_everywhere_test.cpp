// The promise of the TestDriver: the input of every sample gives byte for byte the same features
// and States in an author's test as through `weir produce` and `weir run`.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <weir/test_driver.h>
#include <nlohmann/json.hpp>

#include "support/temp_dir.hpp"

namespace weir::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Sample {
  std::string name;
  std::string source;
  std::string topic;
  std::map<std::string, std::string> sinks;  ///< topic by sink
  std::string input = "input.jsonl";
};

std::string hex(const std::string& bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out.push_back(digits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(digits[static_cast<unsigned char>(c) & 15]);
  }
  return out;
}

fs::path sources_of(const Sample& sample) { return fs::path(WEIR_PLUGIN_SOURCES) / sample.name; }
fs::path build_of(const Sample& sample) { return fs::path(WEIR_PLUGIN_BUILDS) / sample.name; }

json through_binary(const Sample& sample) {
  const TempDir directory;
  const std::string yaml = sample.name + ".yaml";
  const std::string library = sample.name + ".so";
  fs::copy_file(sources_of(sample) / yaml, directory / yaml);
  // Where the YAML looks for it, and beside the YAML.
  fs::create_directories(directory / "build");
  fs::copy_file(build_of(sample) / library, directory / library);
  fs::copy_file(build_of(sample) / library, directory.path() / "build" / library);
  const auto run = [&](const std::string& command) {
    const std::string in = "cd '" + directory.path().string() + "' && ";
    CAPTURE(command);
    REQUIRE(std::system((in + command).c_str()) == 0);
  };
  run("'" WEIR_BINARY "' produce " + sample.topic + " -c " + yaml + " '" +
      (sources_of(sample) / sample.input).string() + "' 2>produce.log");
  run("'" WEIR_BINARY "' run -c " + yaml + " --until-end --log-level error");
  std::string topics;
  for (const auto& [sink, topic] : sample.sinks) topics += " " + topic;
  run("'" WEIR_READ_OUTCOME "' state" + topics + " >outcome.json");
  std::ifstream in(directory / "outcome.json");
  return json::parse(in);
}

void pipe_input(const Sample& sample, TestDriver& host) {
  std::ifstream in(sources_of(sample) / sample.input);
  for (std::string line; std::getline(in, line);) {
    const json record = json::parse(line);
    Envelope envelope;
    if (record.contains("key") && !record["key"].is_null()) envelope.key = record["key"];
    if (record.contains("timestamp")) envelope.timestamp_ms = record["timestamp"];
    const json headers = record.value("headers", json::object());
    for (const auto& [name, value] : headers.items()) {
      envelope.headers.emplace_back(name, value.get<std::string>());
    }
    const json& value = record["value"];
    if (value.is_null()) {
      host.pipe_null(sample.source, envelope);
    } else {
      host.pipe(sample.source, value.is_string() ? value.get<std::string>() : value.dump(),
                envelope);
    }
  }
}

void compare(const Sample& sample) {
  const json binary = through_binary(sample);

  setenv("WEIR_PLUGIN_DIR", build_of(sample).c_str(), 1);
  setenv("WEIR_APP", (sources_of(sample) / (sample.name + ".yaml")).c_str(), 1);
  TestDriver host(sample.name);
  pipe_input(sample, host);
  host.commit();
  std::map<std::string, json> features;
  for (const EmittedRecord& record : host.emitted()) {
    features[sample.sinks.at(record.sink)].push_back(
        {{"timestamp_ms", record.timestamp_ms},
         {"key", record.key ? hex(*record.key) : "absent"},
         {"value", hex(record.value)}});
  }

  for (const auto& [sink, topic] : sample.sinks) {
    CAPTURE(sink);
    CHECK_FALSE(binary["features"][topic].empty());
    CHECK((features[topic] == binary["features"][topic]));
  }
  for (const json& state : binary["states"]) {
    std::string key;
    const std::string digits = state["key"];
    for (std::size_t i = 0; i < digits.size(); i += 2) {
      key.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
    }
    CAPTURE(key);
    CHECK(hex(host.state_bytes(key, std::string(state["resolver"]))) == state["bytes"]);
  }
}

}  // namespace

TEST_CASE("samples: unique_ips is the same in a test and in the host") {
  compare({"unique_ips", "visits", "visits", {{"features", "unique-ips"}}});
}

TEST_CASE("samples: transactions is the same in a test and in the host") {
  compare({"transactions", "payments", "payments", {{"transactions", "transactions"}}});
}

TEST_CASE("samples: clicks is the same in a test and in the host") {
  compare({"clicks",
           "events",
           "user-events",
           {{"counts", "click-counts"}, {"favourites", "favourites"}, {"logins", "logins"}}});
}

TEST_CASE("samples: sessions is the same in a test and in the host") {
  compare({"sessions", "clicks", "clicks", {{"sessions", "sessions"}}});
}

TEST_CASE("samples: plain_c is the same in a test and in the host") {
  compare({"plain_c", "lines", "lines", {{"totals", "line-totals"}}});
}

TEST_CASE("samples: earthquakes is the same in a test and in the host") {
  compare({"earthquakes",
           "earthquakes",
           "earthquakes",
           {{"summaries", "earthquake-summaries"}},
           "data/earthquakes.jsonl"});
}

}  // namespace weir::test
