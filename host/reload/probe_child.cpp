// The process in which a candidate may do its worst.
#include <chrono>
#include <map>
#include <memory>
#include <random>

#include <fmt/ranges.h>

#include "base/bytes.hpp"
#include "base/counted.hpp"
#include "base/limits.hpp"
#include "commit/state_reader.hpp"
#include "reload/probe.hpp"
#include "reload/probe_answer.hpp"
#include "reload/probe_file.hpp"
#include "reload/state_trial.hpp"
#include "resolve/check_child.hpp"
#include "resolve/guarded_memory.hpp"
#include "resolve/instance.hpp"
#include "resolve/plugin_copy.hpp"
#include "resolve/process_state.hpp"

namespace weir::host {

namespace {

/// One resolver of both builds.
struct Pair {
  std::string name;
  std::unique_ptr<ResolverInstance> running;
  std::unique_ptr<ResolverInstance> candidate;
};

class Probe {
 public:
  Probe(const ProbeRequest& request, const ProbeAnswer& answer)
      : request_(request), answer_(answer) {}

  bool run() { return load_running() && load() && create() && states() && records() && unload(); }

 private:
  bool load_running() {
    answer_.doing("loading the build that runs");
    auto running = Plugin::load(request_.running, request_.copies);
    if (!running) return answer_.fail(ReloadCode::does_not_load, running.error().message);
    running_ = *std::move(running);
    for (const ProbeRequest::Resolver& one : request_.resolvers) {
      auto instance = ResolverInstance::create(running_, one.resolver, one.settings_running);
      if (!instance) return answer_.fail(ReloadCode::settings_refused, instance.error().message);
      pairs_.push_back({one.name, *std::move(instance), nullptr});
    }
    return true;
  }

  bool load() {
    answer_.doing("loading it beside the build that runs");
    before_ = ProcessState::now();
    auto candidate = Plugin::load(request_.candidate, request_.copies);
    if (!candidate) return answer_.fail(ReloadCode::does_not_load, candidate.error().message);
    candidate_ = *std::move(candidate);
    return true;
  }

  bool create() {
    answer_.doing("handing it the settings of the app");
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const ProbeRequest::Resolver& one = request_.resolvers[i];
      auto instance = ResolverInstance::create(candidate_, one.resolver, one.settings);
      if (!instance) return answer_.fail(ReloadCode::settings_refused, instance.error().message);
      pairs_[i].candidate = *std::move(instance);
    }
    answer_.done("loaded beside the build that runs, in another process, with the app's settings");
    return true;
  }

  bool unload() {
    const std::filesystem::path copy = candidate_->copy_path();
    answer_.doing("unloading it");
    for (Pair& pair : pairs_) pair.candidate.reset();
    candidate_.reset();
    if (is_mapped(copy)) {
      return answer_.fail(ReloadCode::stays_mapped,
                          "it stays mapped after it was unloaded: every reload would cost its "
                          "memory; most likely a thread_local with a destructor, or a thread that "
                          "still runs");
    }
    const auto changes = before_.changes(ProcessState::now());
    if (changes.empty()) return true;
    return answer_.fail(
        ReloadCode::process_changed,
        fmt::format("after it was unloaded, {}; a plugin leaves the process as it was",
                    fmt::join(changes, "; ")));
  }

  bool states() {
    answer_.doing("reading the app's States");
    auto reader = StateReader::open(request_.state);
    if (!reader) {  // nothing was committed yet
      answer_.done("no State is stored yet");
      return true;
    }
    Sample all;
    for (const Pair& pair : pairs_) {
      if (pair.candidate->stateless()) continue;
      Sample sample;
      const auto listed = draw(**reader, pair.name, sample);
      if (!listed && listed.error().code != Errc::not_found) {
        return answer_.fail(ReloadCode::state_unreadable, listed.error().message);
      }
      for (const StateReader::Entry& entry : sample.drawn) {
        if (!one_state(pair, entry)) return false;
      }
      all.count += sample.drawn.size();
      all.seen += sample.seen;
      all.is_whole = all.is_whole && sample.is_whole;
    }
    const std::string drawn = all.count == all.seen ? ""
                                                    : fmt::format(" (drawn from {}{}, seed {})",
                                                                  all.is_whole ? "" : "the first ",
                                                                  all.seen, request_.seed);
    answer_.done(fmt::format("{} of the app{} read, written, and read back by the build that runs",
                             counted(all.count, "State"), drawn));
    return true;
  }

  struct Sample {
    std::vector<StateReader::Entry> drawn;
    std::uint64_t count = 0;  ///< of them
    std::uint64_t seen = 0;
    bool is_whole = true;  ///< all were seen
  };
  /// Every State that is seen is as likely to be among them as any other.
  Result<void> draw(StateReader& reader, const std::string& resolver, Sample& out) {
    using Steady = std::chrono::steady_clock;
    const auto until = Steady::now() + draw_max / pairs_.size();
    return reader.list(resolver, "", [&](const StateReader::Entry& entry) {
      if (out.drawn.size() < request_.states_max) {
        out.drawn.push_back(entry);
      } else if (const std::uint64_t at = random_() % (out.seen + 1); at < request_.states_max) {
        out.drawn[at] = entry;
      }
      ++out.seen;
      out.is_whole = out.seen % 256 != 0 || Steady::now() < until;
      return out.is_whole;
    });
  }

  /// The candidate takes the State over unchanged, and the build that runs could take it back.
  bool one_state(const Pair& pair, const StateReader::Entry& entry) {
    const std::string_view stored = entry.bytes;
    const auto taken = resaved(*pair.candidate, entry.key, stored, entry.state_version);
    if (!taken) return answer_.fail(ReloadCode::state_unreadable, taken.error().message);
    // Where the author says that older code cannot read it, an undo log is kept instead.
    const Manifest::Resolver& manifest = pair.candidate->manifest();
    const std::uint32_t oldest_reader =
        manifest.state_readable_by == 0 ? manifest.state_version : manifest.state_readable_by;
    if (oldest_reader > pair.running->manifest().state_version) return true;
    const auto back = resaved(*pair.running, entry.key, *taken, entry.state_version);
    if (!back) {
      return answer_.fail(
          ReloadCode::state_unreadable,
          "what it writes cannot be read after a rollback: " + back.error().message);
    }
    // A later version may change what it reads.
    if (pair.candidate->manifest().state_version != entry.state_version) return true;
    const auto before = resaved(*pair.running, entry.key, stored, entry.state_version);
    if (!before || *before == *back) return true;
    return answer_.fail(ReloadCode::state_lost,
                        fmt::format("resolver {}: the State of key \"{}\" is another one after "
                                    "this build has read and written it",
                                    pair.name, printable(entry.key)));
  }

  Result<std::string> resaved(ResolverInstance& instance, std::string_view key,
                              std::string_view bytes, std::uint32_t version) {
    arena_.reset();
    const std::size_t begin = guard_.end();
    const std::string_view shown = guard_.show(bytes);
    WEIR_TRY(weir_state * state, instance.load(key, &shown, version));
    guard_.hide(begin, guard_.end());
    auto saved = instance.save(state, key, arena_);
    instance.free(state);
    if (!saved) return std::move(saved).error();
    return std::string(*saved);
  }

  bool records() {
    answer_.doing("handing it records of the log");
    std::size_t taken = 0;
    std::size_t refused = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < request_.records.size(); ++i) {
      const ProbeRequest::Record& record = request_.records[i];
      if (!one_record(*pairs_[record.resolver].candidate, record, taken, refused)) return false;
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - begin;
      if (took < request_.time_max / 2) continue;
      return answer_.fail(
          ReloadCode::too_slow,
          fmt::format("it took {:.0f} ms for {}, {:.1f} ms each", took.count(),
                      counted(i + 1, "record"), took.count() / static_cast<double>(i + 1)));
    }
    if (!request_.records.empty()) {
      answer_.done(fmt::format("{} of the log, with a new State each: {} taken, {} refused",
                               counted(request_.records.size(), "record"), taken, refused));
    }
    return true;
  }

  bool one_record(ResolverInstance& instance, const ProbeRequest::Record& from, std::size_t& taken,
                  std::size_t& refused) {
    const Showing showing(&guard_);
    const auto shown = [&](const std::string& bytes) { return to_abi(guard_.show(bytes)); };
    weir_record record{};
    record.key = from.has_key ? shown(from.key) : absent_bytes;
    record.value = from.has_value ? shown(from.value) : absent_bytes;
    record.topic = shown(from.topic);
    record.offset = from.offset;
    record.timestamp_ms = from.timestamp_ms;
    record.partition = from.partition;
    arena_.reset();
    PreparedRun run;
    if (auto prepared = instance.prepare({&record, 1}, arena_, run); !prepared) {
      return answer_.fail(ReloadCode::record_fails, prepared.error().message);
    }
    const weir_prepared& prepared = run.records().front();
    const bool extracted = (prepared.flags & WEIR_PREPARED_KEY) != 0;
    const std::string key(from_abi(extracted ? prepared.key : record.key));
    if (prepared.verdict != WEIR_OK || (!instance.stateless() && key.empty())) {
      ++refused;
      return true;
    }
    weir_state* state = nullptr;
    if (!instance.stateless()) {
      auto loaded = instance.load(key, nullptr, instance.manifest().state_version);
      if (!loaded) return answer_.fail(ReloadCode::record_fails, loaded.error().message);
      state = *loaded;
    }
    const weir_status status =
        instance.resolve(prepared.message, state, record, key,
                         {from.timestamp_ms, from.timestamp_ms}, /*suppress=*/false);
    const std::string reason = instance.call().reason;
    // A key that is too long for a timer is the record's doing.
    const bool limit_hit = instance.call().limit_hit && key.size() <= timer_key_bytes_max;
    if (state != nullptr) {
      arena_.reset();
      const auto saved = instance.save(state, key, arena_);
      instance.free(state);
      if (!saved && status == WEIR_OK) {
        return answer_.fail(ReloadCode::record_fails, saved.error().message);
      }
    }
    const auto fail = [&](std::string_view what) {
      return answer_.fail(ReloadCode::record_fails,
                          fmt::format("{} the record at offset {} of {} partition {}: {}", what,
                                      from.offset, from.topic, from.partition, reason));
    };
    if (status == WEIR_FATAL) return fail("it stops at");
    if (limit_hit) return fail("it asks for more than the host gives at");
    if (status < WEIR_OK || status > WEIR_FATAL) {
      return fail(fmt::format("it returns {}, which is no status, at", status));
    }
    ++(status == WEIR_OK || status == WEIR_SKIP ? taken : refused);
    return true;
  }

  /// For finding States in a large store, of all resolvers.
  static constexpr std::chrono::milliseconds draw_max{3000};

  const ProbeRequest& request_;
  const ProbeAnswer& answer_;
  std::shared_ptr<Plugin> running_;
  std::shared_ptr<Plugin> candidate_;
  std::vector<Pair> pairs_;
  GuardedMemory guard_;  // what the candidate is shown of records and States
  ProcessState before_;  // with the build that runs, without the candidate
  Arena arena_;
  std::mt19937_64 random_{request_.seed};
};

}  // namespace

int run_probe_child(std::span<const std::string> arguments) {
  if (arguments.size() != 2) return 64;
  const auto request = read_probe_file(arguments[0]);
  if (!request) return 64;
  const ProbeAnswer answer(arguments[1]);
  if (request->what == ProbeRequest::What::states) {
    limit_resources(std::nullopt);  // there may be many; each has its time
    if (read_every_state(*request, answer)) answer.finished();
    return 0;
  }
  limit_resources(request->time_max);
  explain_faults(check_answer_descriptor, arguments[1]);
  if (Probe(*request, answer).run()) answer.finished();
  return 0;
}

}  // namespace weir::host
