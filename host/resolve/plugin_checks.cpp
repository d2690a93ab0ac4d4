#include "resolve/plugin_checks.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <optional>

#include "base/bytes.hpp"
#include "base/counted.hpp"
#include "resolve/check_parts.hpp"
#include "resolve/driven_resolver.hpp"
#include "resolve/plugin.hpp"
#include "resolve/plugin_copy.hpp"
#include "resolve/previous_checks.hpp"
#include "resolve/process_state.hpp"
#include "resolve/record_maker.hpp"

namespace weir::host {

namespace {

constexpr std::size_t states_count = 200;

/// Loading again and again: the first rounds fill caches, the others must not need more memory.
constexpr int load_rounds = 100;
constexpr int load_rounds_warm = 20;
#ifdef WEIR_SANITIZED
constexpr std::int64_t heap_growth_max = 1000;  // a sanitizer books every load on the heap
#else
constexpr std::int64_t heap_growth_max = 256;  // bytes a round
#endif
constexpr std::int64_t resident_growth_max = 16 << 10;  // bytes a round; for what mmap() gave

/// Runs `check(resolver, make)` for every resolver that can be configured; `make()` gives a new
/// instance of it.
template <typename Check>
void for_each_resolver(const CheckSubject& subject, CheckFindings& findings, Check&& check) {
  const std::shared_ptr<Plugin> plugin = load_checked(subject.path, subject);
  for (const Manifest::Resolver& resolver : plugin->manifest().resolvers) {
    try {
      std::string reason;
      if (create_checked(plugin, resolver, subject, &reason) == nullptr)
        continue;  // "settings" says so
      check(*plugin, resolver, [&](bool guarded = false) {
        return create_checked(plugin, resolver, subject, &reason, guarded);
      });
    } catch (const BrokenRule& broken) {
      findings.failures.push_back(fmt::format("resolver {}: {}", resolver.name, broken.what()));
    }
  }
}

void check_load(const CheckSubject& subject, CheckFindings& findings) {
  const auto begin = std::chrono::steady_clock::now();
  const std::shared_ptr<Plugin> plugin = load_checked(subject.path, subject);
  const auto took = std::chrono::steady_clock::now() - begin;
  findings.note =
      fmt::format("in {:.1f} ms", std::chrono::duration<double, std::milli>(took).count());
}

void check_settings(const CheckSubject& subject, CheckFindings& findings) {
  const std::shared_ptr<Plugin> plugin = load_checked(subject.path, subject);
  int refused = 0;
  int taken = 0;
  for (const Manifest::Resolver& resolver : plugin->manifest().resolvers) {
    std::string reason;
    if (create_checked(plugin, resolver, subject, &reason) == nullptr) {
      findings.warnings.push_back(fmt::format(
          "resolver {} refuses {} settings ({}), so nothing else of it was checked; give "
          "it settings that it takes",
          resolver.name, subject.settings.contains(resolver.name) ? "the given" : "empty",
          reason.empty() ? "it gives no reason" : reason));
    }
    RecordMaker maker(*plugin, resolver, mixed(subject.seed, "garbage settings"));
    bool has_reason = true;
    for (int i = 0; i < check_settings_tries; ++i) {
      reason.clear();
      const std::string valid =
          resolver.settings_type.empty() ? "\x08\x01" : maker.message(resolver.settings_type);
      const std::string bytes = i % 2 == 0 ? valid : maker.damaged(valid);
      const bool is_taken = DrivenResolver::create(plugin, resolver, bytes, &reason) != nullptr;
      ++(is_taken ? taken : refused);
      if (!is_taken && reason.empty()) has_reason = false;
    }
    if (!has_reason) {
      findings.warnings.push_back(
          fmt::format("resolver {}: create() refuses settings without a "
                      "reason; call set_reason()",
                      resolver.name));
    }
  }
  findings.note =
      fmt::format("empty, random and damaged ones: {} taken, {} refused", taken, refused);
}

void check_memory(const CheckSubject& subject, CheckFindings& findings) {
  std::size_t count = 0;
  for_each_resolver(subject, findings,
                    [&](const Plugin& plugin, const Manifest::Resolver& resolver, auto&& make) {
                      RecordMaker maker(plugin, resolver, mixed(subject.seed, "memory"));
                      const auto first = make(/*guarded=*/true);
                      first->run(maker.valid(check_records_count / 2));
                      const auto second = make(/*guarded=*/true);
                      second->adopt(first->stored(), resolver.state_version);
                      second->run(maker.valid(check_records_count / 2));
                      count += check_records_count;
                    });
  findings.note =
      fmt::format("{}: nothing is read after its time or beyond its end, nothing written",
                  counted(count, "record"));
}

void check_malformed_records(const CheckSubject& subject, CheckFindings& findings) {
  std::size_t accepted = 0;
  std::size_t count = 0;
  for_each_resolver(subject, findings,
                    [&](const Plugin& plugin, const Manifest::Resolver& resolver, auto&& make) {
                      RecordMaker maker(plugin, resolver, mixed(subject.seed, "malformed"));
                      const auto records = maker.malformed(check_records_count);
                      const auto driven = make();
                      for (const CheckOutcome& outcome : driven->run(records)) {
                        if (outcome.resolved == WEIR_OK) ++accepted;
                      }
                      count += records.size();
                    });
  findings.note =
      fmt::format("{} random, cut off, damaged and empty ones, {} taken", count, accepted);
}

/// How many there are; a feature that is not of its type is a BrokenRule.
std::size_t check_features(const Plugin& plugin, const Manifest::Resolver& resolver,
                           const std::vector<CheckOutcome::Feature>& features) {
  for (const CheckOutcome::Feature& feature : features) {
    const auto& declared = resolver.features[feature.output];
    if (!is_message(plugin, declared.type, feature.bytes)) {
      throw BrokenRule(fmt::format("feature {} is no {}: \"{}\"", declared.name, declared.type,
                                   printable(feature.bytes)));
    }
  }
  return features.size();
}

void check_messages(const CheckSubject& subject, CheckFindings& findings) {
  std::size_t accepted = 0;
  std::size_t features = 0;
  std::size_t count = 0;
  std::size_t fired = 0;
  std::size_t fired_before = 0;
  for_each_resolver(
      subject, findings,
      [&](const Plugin& plugin, const Manifest::Resolver& resolver, auto&& make) {
        RecordMaker maker(plugin, resolver, mixed(subject.seed, "messages"));
        const auto records = maker.valid(check_records_count);
        const auto driven = make();
        std::size_t taken = 0;
        bool has_reasons = true;
        for (const CheckOutcome& outcome : driven->run(records)) {
          const bool rejected = outcome.prepared == WEIR_REJECT || outcome.resolved == WEIR_REJECT;
          if (rejected && outcome.reason.empty()) has_reasons = false;
          if (outcome.resolved != WEIR_OK) continue;
          ++taken;
          features += check_features(plugin, resolver, outcome.features);
          for (const CheckOutcome::Firing& firing : outcome.firings) {
            features += check_features(plugin, resolver, firing.features);
          }
          fired += outcome.firings.size();
        }
        for (const auto& [key, bytes] : driven->stored()) {
          if (!is_message(plugin, resolver.state_type, bytes)) {
            throw BrokenRule(fmt::format("the State of key \"{}\" is no {}: \"{}\"", printable(key),
                                         resolver.state_type, printable(bytes)));
          }
        }
        if (taken == 0) {
          findings.warnings.push_back(
              fmt::format("resolver {} took none of {} generated {}: its resolve() was not tried",
                          resolver.name, records.size(),
                          resolver.message_type.empty() ? "records" : resolver.message_type));
        }
        if (resolver.timers && fired == fired_before) {
          findings.warnings.push_back(fmt::format(
              "resolver {} set no timer for any of {} records: its notify() was not tried",
              resolver.name, records.size()));
        }
        fired_before = fired;
        if (!has_reasons) {
          findings.warnings.push_back(fmt::format(
              "resolver {} rejects records without a reason; call set_reason()", resolver.name));
        }
        accepted += taken;
        count += records.size();
      });
  const std::string timers = fired == 0 ? "" : fmt::format(", {} fired", counted(fired, "timer"));
  findings.note = fmt::format("{} random ones, {} taken{}, {}, all of their types", count, accepted,
                              timers, counted(features, "feature"));
}

void check_state_round_trip(const CheckSubject& subject, CheckFindings& findings) {
  std::size_t count = 0;
  for_each_resolver(
      subject, findings,
      [&](const Plugin& plugin, const Manifest::Resolver& resolver, auto&& make) {
        if (resolver.state_type.empty()) return;
        RecordMaker maker(plugin, resolver, mixed(subject.seed, "state"));
        const auto driven = make();
        driven->run(maker.valid(check_records_count));
        std::string reason;
        const auto initial = driven->reload(nullptr, &reason);
        if (!initial) {
          throw BrokenRule(fmt::format("state_load() makes no initial State: {}", reason));
        }
        std::vector<std::string> states = {*initial};
        for (const auto& [key, bytes] : driven->stored()) states.push_back(bytes);
        // Random States may break a rule of the resolver, so it may refuse them.
        for (std::size_t i = 0; i < states_count; ++i) {
          const std::string random = maker.message(resolver.state_type);
          if (auto saved = driven->reload(&random, &reason)) states.push_back(*std::move(saved));
        }
        for (const std::string& saved : states) {
          const auto again = driven->reload(&saved, &reason);
          if (!again) {
            throw BrokenRule(fmt::format("state_load() refuses bytes of state_save(): {}", reason));
          }
          if (*again != saved) {
            throw BrokenRule(fmt::format(
                "a State changes by being loaded and saved: \"{}\" ({} B) becomes \"{}\" "
                "({} B); save every field, maps in a fixed order",
                printable(saved), saved.size(), printable(*again), again->size()));
          }
        }
        count += states.size();
      });
  findings.note = count == 0 ? "stateless" : counted(count, "State") + " byte for byte";
}

void check_malformed_states(const CheckSubject& subject, CheckFindings& findings) {
  std::size_t refused = 0;
  std::size_t count = 0;
  for_each_resolver(subject, findings,
                    [&](const Plugin& plugin, const Manifest::Resolver& resolver, auto&& make) {
                      if (resolver.state_type.empty()) return;
                      RecordMaker maker(plugin, resolver, mixed(subject.seed, "malformed state"));
                      const auto driven = make();
                      for (std::size_t i = 0; i < 2 * states_count; ++i) {
                        std::string reason;
                        const std::string bytes = maker.damaged(maker.message(resolver.state_type));
                        if (!driven->reload(&bytes, &reason)) ++refused;
                        ++count;
                      }
                    });
  findings.note =
      count == 0 ? "stateless" : fmt::format("{} damaged ones, {} refused", count, refused);
}

void check_determinism(const CheckSubject& subject, CheckFindings& findings) {
  for_each_resolver(
      subject, findings,
      [&](const Plugin& plugin, const Manifest::Resolver& resolver, auto&& make) {
        RecordMaker maker(plugin, resolver, mixed(subject.seed, "determinism"));
        auto records = maker.valid(check_records_count);
        for (CheckRecord& record : maker.malformed(check_records_count / 4)) {
          records.push_back(std::move(record));
        }
        const auto once = make()->run(records);
        const auto again = make()->run(records);
        if (const auto difference = first_difference(once, again)) {
          throw BrokenRule(fmt::format(
              "the same records give different results in a second instance: {}; does it "
              "use a clock, random numbers, static variables or the order of a hash map?",
              *difference));
        }
      });
  findings.note = "the same records twice: equal features and States";
}

void check_batches(const CheckSubject& subject, CheckFindings& findings) {
  for_each_resolver(subject, findings,
                    [&](const Plugin& plugin, const Manifest::Resolver& resolver, auto&& make) {
                      RecordMaker maker(plugin, resolver, mixed(subject.seed, "batches"));
                      const auto records = maker.valid(check_records_count);
                      const auto together = make()->run(records, records.size());
                      for (const std::size_t size : {std::size_t{1}, std::size_t{7}}) {
                        const auto cut = make()->run(records, size);
                        if (const auto difference = first_difference(together, cut)) {
                          throw BrokenRule(
                              fmt::format("batches of {} give other results than one batch: "
                                          "{}; prepare() must look at one record at a time",
                                          counted(size, "record"), *difference));
                        }
                      }
                    });
  findings.note = "of 1, 7 and all records: equal results";
}

void check_isolation(const CheckSubject& subject, CheckFindings& findings) {
  for_each_resolver(
      subject, findings,
      [&](const Plugin& plugin, const Manifest::Resolver& resolver, auto&& make) {
        RecordMaker maker(plugin, resolver, mixed(subject.seed, "isolation"));
        const auto records = maker.valid(check_records_count / 2);
        const auto others = maker.valid(check_records_count / 2);
        const auto alone = make()->run(records);
        const auto one = make();
        const auto other = make();
        std::vector<CheckOutcome> beside;
        constexpr std::size_t step = 10;
        for (std::size_t i = 0; i < records.size(); i += step) {
          other->run(std::span(others).subspan(i, step));
          for (CheckOutcome& outcome : one->run(std::span(records).subspan(i, step))) {
            beside.push_back(std::move(outcome));
          }
        }
        if (const auto difference = first_difference(alone, beside)) {
          throw BrokenRule(
              fmt::format("an instance sees what another one did: {}; keep everything in "
                          "the instance or the State",
                          *difference));
        }
      });
  findings.note = "two instances side by side: neither sees the other";
}

/// One whole life: load, create, records, destroy, unload. Returns the copy's path.
std::filesystem::path live_once(const CheckSubject& subject) {
  const std::shared_ptr<Plugin> plugin = load_checked(subject.path, subject);
  for (const Manifest::Resolver& resolver : plugin->manifest().resolvers) {
    std::string reason;
    const auto driven = create_checked(plugin, resolver, subject, &reason);
    if (driven == nullptr) continue;
    RecordMaker maker(*plugin, resolver, mixed(subject.seed, "life"));
    driven->run(maker.valid(check_records_count / 10));
  }
  return plugin->copy_path();
}

void check_process(const CheckSubject& subject, CheckFindings& findings) {
  live_once(subject);
  ProcessState end = ProcessState::now();
  // A copy that is still mapped stays locked; that is for "unloading" to say.
  std::erase_if(end.files, [&](const auto& file) {
    return file.second.starts_with(subject.copy_directory.native());
  });
  for (const std::string& change : subject.at_start.changes(end)) {
    findings.failures.push_back(
        fmt::format("after it was unloaded, {}; a plugin leaves the process as it was", change));
  }
  findings.note = "no thread, file, signal handler or setting left behind";
}

void check_unloading(const CheckSubject& subject, CheckFindings& findings) {
  MemoryUse warm;
  for (int round = 1; round <= load_rounds; ++round) {
    const std::filesystem::path copy = live_once(subject);
    if (is_mapped(copy)) {
      throw BrokenRule(
          fmt::format("it is still mapped after it was unloaded (round {}): most likely a "
                      "thread_local with a destructor, or a thread that still runs",
                      round));
    }
    if (round == load_rounds_warm) warm = MemoryUse::now();
  }
  const MemoryUse end = MemoryUse::now();
  constexpr int rounds = load_rounds - load_rounds_warm;
  const std::int64_t heap = (end.heap_bytes - warm.heap_bytes) / rounds;
  const std::int64_t resident = (end.resident_bytes - warm.resident_bytes) / rounds;
  if (heap > heap_growth_max) {
    findings.failures.push_back(
        fmt::format("each load and unload leaves {} B on the heap (limit {} "
                    "B); free everything in destroy() and shutdown()",
                    heap, heap_growth_max));
  } else if (MemoryUse::resident_is_exact && resident > resident_growth_max) {
    findings.failures.push_back(
        fmt::format("each load and unload leaves {} B resident (limit {} B); "
                    "unmap what it maps",
                    resident, resident_growth_max));
  }
  findings.note =
      fmt::format("{} times, unmapped each time, {} B of heap a round", load_rounds, heap);
}

constexpr auto checks = std::to_array<PluginCheck>({
    {"load", check_load},
    {"settings", check_settings},
    {"memory", check_memory},
    {"malformed records", check_malformed_records},
    {"messages", check_messages},
    {"state round trip", check_state_round_trip},
    {"malformed states", check_malformed_states},
    {"determinism", check_determinism},
    {"batches", check_batches},
    {"isolation", check_isolation},
    {"previous states", check_previous_states, true},
    {"rollback", check_rollback, true},
    {"process", check_process},
    {"unloading", check_unloading},
});

}  // namespace

std::span<const PluginCheck> plugin_checks() { return checks; }

}  // namespace weir::host
