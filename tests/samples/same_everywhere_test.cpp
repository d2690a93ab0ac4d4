// The promise of the TestDriver: the input of every sample gives byte for byte the same features
// and States in an author's test as through `weir produce` and `weir run`.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include <weir/test_driver.h>
#include <nlohmann/json.hpp>

#include "commit/state_reader.hpp"
#include "log/embedded_log.hpp"
#include "support/temp_dir.hpp"

namespace weir::test {

namespace {

namespace fs = std::filesystem;

struct Sample {
  std::string name;
  std::string source;
  std::string input = "input.jsonl";
};

/// What came out: features by topic, partition and order; States by resolver and key.
struct Outcome {
  std::map<std::string, std::vector<std::string>> features;
  std::map<std::string, std::string> states;
  bool operator==(const Outcome&) const = default;
};

std::string record_text(std::int64_t timestamp_ms, const std::optional<std::string>& key,
                        const std::string& value) {
  return std::to_string(timestamp_ms) + " " + (key ? "key " + *key : "no key") + " " + value;
}

template <typename T>
T must(host::Result<T> result) {
  if (!result) FAIL(result.error().message);
  return *std::move(result);
}

int run(const std::string& command) { return std::system(command.c_str()); }

/// Through the binary. `sinks`: topic by sink name.
Outcome through_binary(const Sample& sample, const std::map<std::string, std::string>& sinks,
                       const std::string& topic) {
  const TempDir directory;
  const fs::path sources = fs::path(WEIR_PLUGIN_SOURCES) / sample.name;
  const std::string yaml = sample.name + ".yaml";
  fs::copy_file(sources / yaml, directory / yaml);
  const std::string library = sample.name + ".so";
  fs::copy_file(fs::path(WEIR_PLUGIN_BUILDS) / sample.name / library, directory / library);
  const std::string in = "cd '" + directory.path().string() + "' && '" WEIR_BINARY "' ";
  REQUIRE(run(in + "produce " + topic + " -c " + yaml + " '" + (sources / sample.input).string() +
              "' 2>/dev/null") == 0);
  REQUIRE(run(in + "run -c " + yaml + " --until-end --log-level error") == 0);

  Outcome outcome;
  const fs::path state = directory / "state";
  const auto log = must(host::EmbeddedLog::open({.directory = state / "log"}));
  for (const auto& [sink, sink_topic] : sinks) {
    const auto info = must(log->topic(sink_topic));
    REQUIRE(info.has_value());
    for (std::int32_t partition = 0; partition < info->partition_count; ++partition) {
      const auto reader = must(log->open_reader({sink_topic, partition}, 0));
      while (true) {
        const auto records = must(reader->fetch({}));
        if (records.empty()) break;
        for (const host::Record& record : records) {
          outcome.features[sink].push_back(
              record_text(record.timestamp_ms,
                          record.key ? std::optional<std::string>(*record.key) : std::nullopt,
                          std::string(record.value.value_or(""))));
        }
      }
    }
  }
  const auto reader = must(host::StateReader::open(state));
  for (const auto& resolver : must(reader->resolvers())) {
    if (resolver.entry.state_type().empty()) continue;
    const auto listed = reader->list(resolver.name, "", [&](const host::StateReader::Entry& entry) {
      outcome.states[entry.resolver + "/" + entry.key] = entry.bytes;
      return true;
    });
    REQUIRE(listed.has_value());
  }
  return outcome;
}

/// Through the driver; looks up the States of `keys` (resolver/key).
Outcome through_driver(const Sample& sample, const std::map<std::string, std::string>& expected) {
  setenv("WEIR_PLUGIN_DIR", (fs::path(WEIR_PLUGIN_BUILDS) / sample.name).c_str(), 1);
  const fs::path sources = fs::path(WEIR_PLUGIN_SOURCES) / sample.name;
  setenv("WEIR_APP", (sources / (sample.name + ".yaml")).c_str(), 1);
  TestDriver host(sample.name);
  std::ifstream in(sources / sample.input);
  for (std::string line; std::getline(in, line);) {
    const nlohmann::json record = nlohmann::json::parse(line);
    Envelope envelope;
    if (record.contains("key") && !record["key"].is_null()) {
      envelope.key = record["key"].get<std::string>();
    }
    if (record.contains("timestamp"))
      envelope.timestamp_ms = record["timestamp"].get<std::int64_t>();
    if (record.contains("headers")) {
      for (const auto& [name, value] : record["headers"].items()) {
        envelope.headers.emplace_back(name, value.get<std::string>());
      }
    }
    const nlohmann::json& value = record["value"];
    if (value.is_null()) {
      host.pipe_null(sample.source, envelope);
    } else {
      host.pipe(sample.source, value.is_string() ? value.get<std::string>() : value.dump(),
                envelope);
    }
  }
  host.commit();

  Outcome outcome;
  for (const EmittedRecord& record : host.emitted()) {
    outcome.features[record.sink].push_back(
        record_text(record.timestamp_ms, record.key, record.value));
  }
  for (const auto& [name, bytes] : expected) {
    const std::size_t slash = name.find('/');
    outcome.states[name] = host.state_bytes(name.substr(slash + 1), name.substr(0, slash));
  }
  return outcome;
}

void compare(const Sample& sample, const std::map<std::string, std::string>& sinks,
             const std::string& topic) {
  const Outcome binary = through_binary(sample, sinks, topic);
  const Outcome driver = through_driver(sample, binary.states);
  REQUIRE_FALSE(binary.features.empty());
  for (const auto& [sink, records] : binary.features) {
    CAPTURE(sink);
    REQUIRE(driver.features.contains(sink));
    CHECK(driver.features.at(sink) == records);
  }
  CHECK(driver.features.size() == binary.features.size());
  CHECK((driver.states == binary.states));
}

}  // namespace

TEST_CASE("samples: unique_ips is the same in a test and in the host") {
  compare({"unique_ips", "visits"}, {{"features", "unique-ips"}}, "visits");
}

TEST_CASE("samples: transactions is the same in a test and in the host") {
  compare({"transactions", "payments"}, {{"transactions", "transactions"}}, "payments");
}

TEST_CASE("samples: clicks is the same in a test and in the host") {
  compare({"clicks", "events"},
          {{"counts", "click-counts"}, {"favourites", "favourites"}, {"logins", "logins"}},
          "user-events");
}

TEST_CASE("samples: plain_c is the same in a test and in the host") {
  compare({"plain_c", "lines"}, {{"totals", "line-totals"}}, "lines");
}

TEST_CASE("samples: earthquakes is the same in a test and in the host") {
  compare({"earthquakes", "earthquakes", "data/earthquakes.jsonl"},
          {{"summaries", "earthquake-summaries"}}, "earthquakes");
}

}  // namespace weir::test
