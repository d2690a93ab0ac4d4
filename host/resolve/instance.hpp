#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weir/abi.h>

#include "base/arena.hpp"
#include "base/journal_line.hpp"
#include "base/result.hpp"
#include "resolve/call.hpp"
#include "resolve/plugin.hpp"

namespace weir::host {

class ResolverInstance;

/// What prepare() said of a run of records. Frees the plugin's batch at the end; the instance and
/// the records outlive it.
class PreparedRun {
 public:
  PreparedRun() = default;
  PreparedRun(PreparedRun&& other) noexcept;
  PreparedRun& operator=(PreparedRun&& other) noexcept;
  ~PreparedRun() { release(); }

  void release();
  std::span<const weir_prepared> records() const { return prepared_; }

 private:
  friend class ResolverInstance;
  ResolverInstance* instance_ = nullptr;
  weir_batch* batch_ = nullptr;
  std::vector<weir_prepared> prepared_;
};

/// When a call happens, for those who ask.
struct CallTimes {
  std::int64_t event_ms = 0;
  std::int64_t arrival_ms = 0;
};

/// One resolver, configured, for one task: the slots of the ABI with their bookkeeping, and nothing
/// of the stream. Keeps its plugin mapped. [task]
class ResolverInstance {
 public:
  /// Every call of a slot is noted at `place`, whose lines outlive the instance. Errc::config: the
  /// plugin refuses its settings.
  static Result<std::unique_ptr<ResolverInstance>> create(std::shared_ptr<Plugin> plugin,
                                                          std::string_view resolver,
                                                          std::string_view settings,
                                                          JournalPlace place = {});
  ~ResolverInstance();
  ResolverInstance(const ResolverInstance&) = delete;
  ResolverInstance& operator=(const ResolverInstance&) = delete;

  const Manifest::Resolver& manifest() const { return *manifest_; }
  const Plugin& plugin() const { return *plugin_; }
  bool stateless() const { return manifest_->state_type.empty(); }

  /// Fills `run`; keys and reasons lie in `arena`. Errc::internal: the plugin refused the whole
  /// run.
  Result<void> prepare(std::span<const weir_record> records, Arena& arena, PreparedRun& run);

  /// One call of resolve(). `state` is null exactly for stateless resolvers. Features, reason and
  /// the rest are in call() until the next one.
  weir_status resolve(const weir_message* message, weir_state* state, const weir_record& record,
                      std::string_view key, CallTimes times, bool suppress);

  /// One call of notify(), for a resolver that has timers; `times.event_ms` is what the timer was
  /// set to.
  weir_status notify(weir_state* state, std::string_view key, CallTimes times, bool suppress);

  Call& call() { return call_; }

  /// `bytes` null: the initial State. A later `state_version` than the plugin's is one that says it
  /// is readable by it. Errc::corrupt: the plugin cannot read its own State.
  Result<weir_state*> load(std::string_view key, const std::string_view* bytes,
                           std::uint32_t state_version);

  /// The State's bytes in `arena`. Errc::refused: over the limit. Errc::internal: the plugin
  /// failed.
  Result<std::string_view> save(const weir_state* state, std::string_view key, Arena& arena);

  void free(weir_state* state);

  /// The record that the next calls of load(), save() and free() are for, if any.
  void note_record(std::int64_t offset) { line_->set_record(offset, 1); }
  void note_no_record() { line_->set_record(0, 0); }

 private:
  friend class PreparedRun;
  ResolverInstance() = default;
  JournalCall in_call(Slot slot) { return {*line_, slot, journal_resolver_, generation_}; }
  JournalCall in_control_call(Slot slot);
  void begin_call(std::string_view key, CallTimes times, bool suppress);

  std::shared_ptr<Plugin> plugin_;  // shared: every instance keeps the file mapped
  const weir_resolver* slots_ = nullptr;
  const Manifest::Resolver* manifest_ = nullptr;
  weir_instance* instance_ = nullptr;
  JournalLine own_line_;  // where nobody wants to know
  JournalLine* line_ = &own_line_;
  JournalLine* control_ = &own_line_;
  std::uint16_t journal_resolver_ = 0;
  std::uint16_t generation_ = 0;
  TimerUse timers_ = TimerUse::stateless;
  Call call_;
  Arena call_arena_;
};

}  // namespace weir::host
