#include "reload/probe_file.hpp"

#include <sys/stat.h>

#include <fstream>

#include <nlohmann/json.hpp>

#include "base/bytes.hpp"

namespace weir::host {

namespace {

using nlohmann::json;

/// JSON has no bytes; these are a plugin's and a stream's.
json bytes_of(const std::string& text) { return json::binary({text.begin(), text.end()}); }
std::string text_of(const json& bytes) {
  const auto& binary = bytes.get_binary();
  return {binary.begin(), binary.end()};
}

}  // namespace

Result<void> write_probe_file(const ProbeRequest& request, const std::filesystem::path& path) {
  json resolvers = json::array();
  for (const ProbeRequest::Resolver& one : request.resolvers) {
    resolvers.push_back({one.name, one.resolver, bytes_of(one.settings),
                         bytes_of(one.settings_running), one.renamed_from});
  }
  json records = json::array();
  for (const ProbeRequest::Record& one : request.records) {
    records.push_back({one.resolver, one.has_key, one.has_value, bytes_of(one.key),
                       bytes_of(one.value), one.topic, one.offset, one.timestamp_ms,
                       one.partition});
  }
  const std::vector<std::uint8_t> bytes = json::to_cbor({{"what", request.what},
                                                         {"candidate", request.candidate.string()},
                                                         {"running", request.running.string()},
                                                         {"copies", request.copies.string()},
                                                         {"state", request.state.string()},
                                                         {"states_max", request.states_max},
                                                         {"seed", request.seed},
                                                         {"time_ms", request.time_max.count()},
                                                         {"resolvers", std::move(resolvers)},
                                                         {"records", std::move(records)}});
  const mode_t before = umask(0077);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  umask(before);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) return error(Errc::io, "cannot write {}", path.string());
  return {};
}

Result<ProbeRequest> read_probe_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return error(Errc::io, "cannot read {}", path.string());
  try {
    const json stored = json::from_cbor(in);
    ProbeRequest request;
    request.what = stored.at("what").get<ProbeRequest::What>();
    request.candidate = stored.at("candidate").get<std::string>();
    request.running = stored.at("running").get<std::string>();
    request.copies = stored.at("copies").get<std::string>();
    request.state = stored.at("state").get<std::string>();
    request.states_max = stored.at("states_max").get<std::size_t>();
    request.seed = stored.at("seed").get<std::uint64_t>();
    request.time_max = std::chrono::milliseconds(stored.at("time_ms").get<std::int64_t>());
    for (const json& one : stored.at("resolvers")) {
      request.resolvers.push_back({one.at(0).get<std::string>(), one.at(1).get<std::string>(),
                                   text_of(one.at(2)), text_of(one.at(3)),
                                   one.at(4).get<std::string>()});
    }
    for (const json& one : stored.at("records")) {
      request.records.push_back({one.at(0).get<std::size_t>(), one.at(1).get<bool>(),
                                 one.at(2).get<bool>(), text_of(one.at(3)), text_of(one.at(4)),
                                 one.at(5).get<std::string>(), one.at(6).get<std::int64_t>(),
                                 one.at(7).get<std::int64_t>(), one.at(8).get<std::int32_t>()});
    }
    return request;
  } catch (const json::exception& wrong) {
    return error(Errc::invalid, "{} is no request: {}", path.string(), wrong.what());
  }
}

}  // namespace weir::host
