// read_outcome STATE_DIRECTORY TOPIC...: every feature and State below a state directory as one
// JSON object, byte for byte (hex). A program of its own, because the TestDriver's library and the
// host's cannot be in one process: both carry the generated code of proto/.
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "commit/state_reader.hpp"
#include "log/embedded_log.hpp"

namespace weir::host {
namespace {

template <typename T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "read_outcome: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  return *std::move(result);
}

nlohmann::json features_of(Log& log, const std::string& topic) {
  nlohmann::json features = nlohmann::json::array();
  const TopicInfo info = *must(log.topic(topic));
  for (std::int32_t partition = 0; partition < info.partition_count; ++partition) {
    const auto reader = must(log.open_reader({topic, partition}, 0));
    while (true) {
      const auto records = must(reader->fetch({}));
      if (records.empty()) break;
      for (const Record& record : records) {
        features.push_back({{"timestamp_ms", record.timestamp_ms},
                            {"key", record.key ? to_hex(*record.key) : "absent"},
                            {"value", to_hex(record.value.value_or(""))}});
      }
    }
  }
  return features;
}

nlohmann::json states_of(StateReader& reader) {
  nlohmann::json states = nlohmann::json::array();
  for (const auto& resolver : must(reader.resolvers())) {
    if (resolver.entry.state_type().empty()) continue;
    const auto listed = reader.list(resolver.name, "", [&](const StateReader::Entry& entry) {
      if (entry.task != resolver.task) return true;
      states.push_back({{"resolver", entry.resolver},
                        {"key", to_hex(entry.key)},
                        {"bytes", to_hex(entry.bytes)}});
      return true;
    });
    if (!listed) std::exit(1);
  }
  return states;
}

}  // namespace
}  // namespace weir::host

int main(int argc, char** argv) {
  using namespace weir::host;
  if (argc < 3) return 64;
  const std::filesystem::path state = argv[1];
  const auto log = must(EmbeddedLog::open({.directory = state / "log"}));
  nlohmann::json outcome;
  for (int i = 2; i < argc; ++i) outcome["features"][argv[i]] = features_of(*log, argv[i]);
  outcome["states"] = states_of(*must(StateReader::open(state)));
  std::puts(outcome.dump().c_str());
}
