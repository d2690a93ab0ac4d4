#include "resolve/previous_checks.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/bytes.hpp"
#include "base/counted.hpp"
#include "resolve/check_parts.hpp"
#include "resolve/record_maker.hpp"
#include "resolve/schemas.hpp"

namespace weir::host {

namespace {

namespace pb = google::protobuf;

constexpr std::string_view result_name = "previous schema";

std::string named(const Manifest& manifest) {
  return fmt::format("{} {}", manifest.plugin, manifest.version);
}

/// May code of `reader` be given States of `writer`?
bool reads(const Manifest::Resolver& reader, const Manifest::Resolver& writer) {
  return writer.state_readable_by <= reader.state_version;
}

std::string_view with_or_without(bool has) { return has ? "with" : "without"; }

/// What is wrong between two resolvers of one name.
std::vector<std::string> faults_between(const Manifest::Resolver& before,
                                        const Manifest::Resolver& now, const Schemas* types_before,
                                        const Schemas* types_now, const StateConflicts& conflicts) {
  if (before.state_type.empty() != now.state_type.empty()) {
    return {fmt::format("it was {} State, is {}; give it another name",
                        with_or_without(!before.state_type.empty()),
                        with_or_without(!now.state_type.empty()))};
  }
  if (before.state_type.empty()) return {};
  std::vector<std::string> faults;
  if (before.timers != now.timers) {
    faults.push_back(fmt::format("it was {} timers, is {}; give it another name",
                                 with_or_without(before.timers), with_or_without(now.timers)));
  }
  if (!reads(now, before)) {
    faults.push_back(
        fmt::format("its State version is {}, and States of version {} are readable by code of "
                    "version {} on; raise the version",
                    now.state_version, before.state_version, before.state_readable_by));
  }
  for (std::string& conflict :
       conflicts(*types_before->message(before.state_type), *types_now->message(now.state_type))) {
    faults.push_back(std::move(conflict));
  }
  return faults;
}

/// Both builds, and one resolver that both have with State.
struct Pair {
  const CheckSubject& subject;
  std::shared_ptr<Plugin> before_plugin;
  std::shared_ptr<Plugin> now_plugin;
  const Manifest::Resolver& before;
  const Manifest::Resolver& now;

  std::unique_ptr<DrivenResolver> make_before() const {
    std::string reason;
    auto driven = create_checked(before_plugin, before, subject, &reason);
    if (driven == nullptr) throw BrokenRule(fmt::format("it refuses its settings: {}", reason));
    return driven;
  }
  std::unique_ptr<DrivenResolver> make_now() const {
    std::string reason;
    auto driven = create_checked(now_plugin, now, subject, &reason);
    if (driven == nullptr) throw BrokenRule(fmt::format("it refuses its settings: {}", reason));
    return driven;
  }
  std::vector<CheckRecord> records_before(std::string_view use) const {
    return RecordMaker(*before_plugin, before, mixed(subject.seed, use)).valid(check_records_count);
  }
  std::vector<CheckRecord> records_now(std::string_view use) const {
    return RecordMaker(*now_plugin, now, mixed(subject.seed, use)).valid(check_records_count);
  }
  std::string name_before() const { return named(before_plugin->manifest()); }
  std::string name_now() const { return named(now_plugin->manifest()); }
};

/// Every State that came by in a run, once each.
std::vector<std::string> states_of(std::span<const CheckOutcome> outcomes) {
  std::set<std::string> seen;
  for (const CheckOutcome& outcome : outcomes) {
    if (outcome.state) seen.insert(*outcome.state);
    for (const CheckOutcome::Firing& firing : outcome.firings) {
      if (firing.state) seen.insert(*firing.state);
    }
  }
  return {seen.begin(), seen.end()};
}

/// In which fields two States of one type differ; empty: in none.
std::string field_differences(const Plugin& plugin, const std::string& type, const std::string& one,
                              const std::string& other) {
  pb::DynamicMessageFactory factory;
  const pb::Message* prototype = factory.GetPrototype(plugin.message(type));
  const std::unique_ptr<pb::Message> left(prototype->New());
  const std::unique_ptr<pb::Message> right(prototype->New());
  if (!left->ParseFromString(one) || !right->ParseFromString(other)) {
    return fmt::format("it is no {} any more", type);
  }
  std::string report;
  pb::util::DefaultFieldComparator comparator;
  comparator.set_treat_nan_as_equal(true);
  pb::util::MessageDifferencer differencer;
  differencer.set_field_comparator(&comparator);
  differencer.ReportDifferencesToString(&report);
  if (differencer.Compare(*left, *right)) return {};
  while (report.ends_with('\n')) report.pop_back();
  std::ranges::replace(report, '\n', ';');
  return report;
}

template <typename Check>
void for_each_pair(const CheckSubject& subject, CheckFindings& findings, Check&& check) {
  const auto before = load_checked(subject.previous, subject);
  const auto now = load_checked(subject.path, subject);
  for (const Manifest::Resolver& resolver : before->manifest().resolvers) {
    const Manifest::Resolver* same = now->manifest().find(resolver.name);
    if (same == nullptr || resolver.state_type.empty() || same->state_type.empty()) continue;
    if (!reads(*same, resolver)) continue;  // "previous schema" says so
    try {
      check(Pair{subject, before, now, resolver, *same});
    } catch (const BrokenRule& broken) {
      findings.failures.push_back(fmt::format("resolver {}: {}", resolver.name, broken.what()));
    }
  }
}

/// `bytes` of the build before, as this one saves them.
std::string taken_over(const Pair& pair, DrivenResolver& now, const std::string& bytes) {
  std::string reason;
  auto taken = now.reload(&bytes, &reason, pair.before.state_version);
  if (!taken) {
    throw BrokenRule(fmt::format("state_load() refuses a State of {} (version {}): {}",
                                 pair.name_before(), pair.before.state_version, reason));
  }
  return *std::move(taken);
}

void take_one(const Pair& pair, DrivenResolver& now, const std::string& bytes) {
  const std::string taken = taken_over(pair, now, bytes);
  if (!is_message(*pair.now_plugin, pair.now.state_type, taken)) {
    throw BrokenRule(fmt::format("what it makes of a State of {} is no {}: \"{}\"",
                                 pair.name_before(), pair.now.state_type, printable(taken)));
  }
  std::string reason;
  const auto again = now.reload(&taken, &reason);
  if (!again) throw BrokenRule(fmt::format("it cannot read what it has migrated: {}", reason));
  if (*again != taken) {
    throw BrokenRule(
        fmt::format("a State that it has migrated is another one when it is loaded again: {}",
                    field_differences(*pair.now_plugin, pair.now.state_type, taken, *again)));
  }
  if (pair.now.state_version != pair.before.state_version) return;
  const auto changed = field_differences(*pair.before_plugin, pair.before.state_type, bytes, taken);
  if (!changed.empty()) {
    throw BrokenRule(fmt::format(
        "a State of {} is another one after it was only loaded and saved: {}; where that is meant, "
        "raise the State's version",
        pair.name_before(), changed));
  }
}

/// Without the States: fields that a build does not know may be in one and not in the other.
std::vector<CheckOutcome> without_states(std::vector<CheckOutcome> outcomes) {
  for (CheckOutcome& outcome : outcomes) {
    if (outcome.state) outcome.state.emplace();
    for (CheckOutcome::Firing& firing : outcome.firings) {
      if (firing.state) firing.state.emplace();
    }
  }
  return outcomes;
}

/// What this build has written, read and written by the build before, and read again. With
/// `only_migrated` no record has come in between.
void give_back(const Pair& pair, DrivenResolver& before, DrivenResolver& now,
               const std::string& bytes, bool only_migrated) {
  std::string reason;
  const auto back = before.reload(&bytes, &reason, pair.now.state_version);
  if (!back) {
    throw BrokenRule(
        fmt::format("{} refuses a State of {} (version {}, said to be readable by "
                    "version {}): {}",
                    pair.name_before(), pair.name_now(), pair.now.state_version,
                    pair.now.state_readable_by, reason));
  }
  const auto again = now.reload(&*back, &reason, pair.before.state_version);
  if (!again) {
    throw BrokenRule(fmt::format("state_load() refuses a State that went through {}: {}",
                                 pair.name_before(), reason));
  }
  if (pair.now.state_version != pair.before.state_version && !only_migrated) return;
  const auto lost = field_differences(*pair.now_plugin, pair.now.state_type, bytes, *again);
  if (!lost.empty()) {
    throw BrokenRule(fmt::format("a State is another one after {} has loaded and saved it: {}{}",
                                 pair.name_before(), lost,
                                 pair.now.state_version == pair.before.state_version
                                     ? ""
                                     : "; it is migrated again then: compute the new from the old, "
                                       "and do not add to it"));
  }
}

/// The build before, with its own States and with what this one has made of them.
void compare_going_on(const Pair& pair, const std::map<std::string, std::string>& states,
                      DrivenResolver& now) {
  std::map<std::string, std::string> given_back;
  for (const auto& [key, bytes] : states) given_back[key] = taken_over(pair, now, bytes);
  const auto records = pair.records_before("going on");
  const auto alone = pair.make_before();
  alone->adopt(states, pair.before.state_version);
  const auto after = pair.make_before();
  after->adopt(std::move(given_back), pair.now.state_version);
  if (const auto difference = first_difference(without_states(alone->run(records)),
                                               without_states(after->run(records)))) {
    throw BrokenRule(fmt::format(
        "after a rollback {} goes on otherwise than without it: {}; keep what older code reads as "
        "it was, or do not say that it can read these States (.readable_by)",
        pair.name_before(), *difference));
  }
}

}  // namespace

CheckResult compare_with_previous(const PluginFile& before, const PluginFile& now,
                                  const StateConflicts& conflicts) {
  CheckResult result{std::string(result_name), CheckStatus::pass, ""};
  const auto add = [&](CheckStatus status, const std::string& text) {
    result.status = std::max(result.status, status);
    result.text += (result.text.empty() ? "" : "\n") + text;
  };
  if (before.manifest.plugin != now.manifest.plugin) {
    add(CheckStatus::fail, fmt::format("it is plugin {}, the build before is {}",
                                       now.manifest.plugin, before.manifest.plugin));
    return result;
  }
  const auto types_before = Schemas::parse(before.schemas);
  const auto types_now = Schemas::parse(now.schemas);
  std::size_t states = 0;
  for (const Manifest::Resolver& resolver : before.manifest.resolvers) {
    const Manifest::Resolver* same = now.manifest.find(resolver.name);
    if (same == nullptr) {
      add(CheckStatus::warn,
          fmt::format("resolver {} of {} is gone; an app that uses it cannot go over",
                      resolver.name, named(before.manifest)));
      continue;
    }
    states += resolver.state_type.empty() ? 0 : 1;
    for (const std::string& fault :
         faults_between(resolver, *same, types_before ? &*types_before : nullptr,
                        types_now ? &*types_now : nullptr, conflicts)) {
      add(CheckStatus::fail, fmt::format("resolver {}: {}", resolver.name, fault));
    }
  }
  if (result.text.empty()) {
    result.text = fmt::format("{} of {}: safe both ways", counted(states, "State type"),
                              named(before.manifest));
  }
  return result;
}

void check_previous_states(const CheckSubject& subject, CheckFindings& findings) {
  std::size_t count = 0;
  std::string migrated;
  for_each_pair(subject, findings, [&](const Pair& pair) {
    const auto before = pair.make_before();
    const auto states = states_of(before->run(pair.records_before("previous")));
    const auto now = pair.make_now();
    for (const std::string& bytes : states) take_one(pair, *now, bytes);
    now->adopt(before->stored(), pair.before.state_version);
    now->run(pair.records_now("previous, now"));
    count += states.size();
    if (pair.now.state_version > pair.before.state_version) {
      migrated = fmt::format(", migrated from version {} to {}", pair.before.state_version,
                             pair.now.state_version);
    }
  });
  findings.note = fmt::format("{} of the build before read{}", counted(count, "State"), migrated);
}

void check_rollback(const CheckSubject& subject, CheckFindings& findings) {
  std::size_t count = 0;
  std::string kept;
  for_each_pair(subject, findings, [&](const Pair& pair) {
    if (!reads(pair.before, pair.now)) {
      kept = fmt::format(
          "; {} does not read those of version {}: a rollback puts the States of "
          "before back",
          pair.name_before(), pair.now.state_version);
      return;
    }
    const auto before = pair.make_before();
    const auto states = states_of(before->run(pair.records_before("rollback")));
    const auto now = pair.make_now();
    for (const std::string& bytes : states) {
      give_back(pair, *before, *now, taken_over(pair, *now, bytes), true);
    }
    compare_going_on(pair, before->stored(), *now);
    now->adopt(before->stored(), pair.before.state_version);
    const auto written = states_of(now->run(pair.records_now("rollback, now")));
    for (const std::string& bytes : written) give_back(pair, *before, *now, bytes, false);
    const auto last = pair.make_before();
    last->adopt(now->stored(), pair.now.state_version);
    last->run(pair.records_before("rollback, last"));
    count += states.size() + written.size();
  });
  findings.note = fmt::format("{} given back to the build before", counted(count, "State"));
  if (!kept.empty()) findings.note = count == 0 ? kept : findings.note + "; " + kept;
}

}  // namespace weir::host
