#include "reload/state_trial.hpp"

#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "commit/state_reader.hpp"
#include "reload/probe_process.hpp"
#include "resolve/instance.hpp"

namespace weir::host {

namespace {

using nlohmann::json;

/// How often the child tells its counts.
constexpr std::uint64_t states_between_counts = 4096;

/// The child's half.
class StateTrialChild {
 public:
  StateTrialChild(const ProbeRequest& request, const ProbeAnswer& answer)
      : request_(request), answer_(answer) {}

  bool run() {
    answer_.doing("loading it");
    auto plugin = Plugin::load(request_.candidate, request_.copies);
    if (!plugin) return answer_.fail(ReloadCode::does_not_load, plugin.error().message);
    auto reader = StateReader::open(request_.state);
    if (!reader) return answer_.fail(ReloadCode::state_unreadable, reader.error().message);
    for (const ProbeRequest::Resolver& one : request_.resolvers) {
      answer_.doing(fmt::format("handing it the settings of resolver {}", one.name));
      auto instance = ResolverInstance::create(*plugin, one.resolver, one.settings);
      if (!instance) return answer_.fail(ReloadCode::settings_refused, instance.error().message);
      if ((*instance)->stateless()) continue;
      trial_.resolvers.push_back({.name = one.name});
      if (!read(**reader, **instance, one.name)) return false;
      if (!one.renamed_from.empty() && !read(**reader, **instance, one.renamed_from)) return false;
    }
    tell();
    return true;
  }

 private:
  /// All that is stored under `name`.
  bool read(StateReader& reader, ResolverInstance& instance, const std::string& name) {
    const auto listed = reader.list(name, "", [&](const StateReader::Entry& entry) {
      read_one(instance, entry);
      return true;
    });
    // Nothing was stored under this name yet.
    if (listed || listed.error().code == Errc::not_found) return true;
    return answer_.fail(ReloadCode::state_unreadable, listed.error().message);
  }

  void read_one(ResolverInstance& instance, const StateReader::Entry& entry) {
    StateTrial::Resolver& counts = trial_.resolvers.back();
    const std::string where = fmt::format("task {}, resolver {}, key \"{}\"", entry.task,
                                          entry.resolver, printable(entry.key));
    answer_.doing(where);
    ++counts.states;
    ++counts.of_version[entry.state_version];
    if (const auto read = read_and_save(instance, entry); read) {
      ++counts.decoded;
      if (entry.state_version < instance.manifest().state_version) ++counts.would_migrate;
    } else {
      ++counts.failed;
      if (++failures_ <= trial_failures_max) {
        answer_.say("failed", fmt::format("{}: {}", where, read.error().message));
      }
    }
    if (counts.states % states_between_counts == 0) tell();
  }

  Result<void> read_and_save(ResolverInstance& instance, const StateReader::Entry& entry) {
    arena_.reset();
    const std::string_view bytes = entry.bytes;
    WEIR_TRY(weir_state * state, instance.load(entry.key, &bytes, entry.state_version));
    const auto saved = instance.save(state, entry.key, arena_);
    instance.free(state);
    if (!saved) return saved.error();
    return {};
  }

  void tell() const {
    json counts = json::array();
    for (const StateTrial::Resolver& one : trial_.resolvers) {
      counts.push_back(
          {one.name, one.states, one.decoded, one.would_migrate, one.failed, json(one.of_version)});
    }
    answer_.say("counts", counts.dump());
  }

  const ProbeRequest& request_;
  const ProbeAnswer& answer_;
  StateTrial trial_;
  std::uint64_t failures_ = 0;
  Arena arena_;
};

/// Of a process that runs foreign code: what is not as it should be counts for nothing.
void hear_counts(const std::string& text, StateTrial& trial) {
  try {
    std::vector<StateTrial::Resolver> heard;
    for (const json& one : json::parse(text)) {
      heard.push_back({one.at(0).get<std::string>(), one.at(1).get<std::uint64_t>(),
                       one.at(2).get<std::uint64_t>(), one.at(3).get<std::uint64_t>(),
                       one.at(4).get<std::uint64_t>(),
                       one.at(5).get<std::map<std::uint32_t, std::uint64_t>>()});
    }
    trial.resolvers = std::move(heard);
  } catch (const json::exception&) {
    return;
  }
}

}  // namespace

std::uint64_t StateTrial::failed() const {
  std::uint64_t sum = 0;
  for (const Resolver& one : resolvers) sum += one.failed;
  return sum;
}

std::variant<StateTrial, Refusal> try_states(const ProbeRequest& request) {
  StateTrial trial;
  ProbeRequest asked = request;
  asked.what = ProbeRequest::What::states;
  auto end = run_probe_process(asked, [&](std::string_view word, const std::string& text) {
    if (word == "counts") hear_counts(text, trial);
    if (word == "failed") trial.failures.push_back(text);
  });
  if (!end) return Refusal{ReloadStep::probe, ReloadCode::no_room, end.error().message};
  if (end->refusal) return *std::move(end->refusal);
  if (end->finished) return trial;
  if (!end->doing.starts_with("task ")) {
    return Refusal{ReloadStep::probe, end->code(), end->text()};
  }
  trial.ended = end->text();
  return trial;
}

bool read_every_state(const ProbeRequest& request, const ProbeAnswer& answer) {
  return StateTrialChild(request, answer).run();
}

}  // namespace weir::host
