#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <weir/abi.h>

#include "resolve/call.hpp"
#include "resolve/guarded_memory.hpp"
#include "resolve/plugin.hpp"
#include "resolve/record_maker.hpp"

namespace weir::host {

/// A plugin broke a rule of <weir/abi.h>. Thrown and caught inside of `plugin check` only.
class BrokenRule : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What became of one record, all of it, so that two runs can be compared.
struct CheckOutcome {
  struct Feature {
    std::uint32_t output = 0;
    std::optional<std::string> key;
    std::string bytes;
    bool operator==(const Feature&) const = default;
  };
  weir_status prepared = WEIR_OK;
  std::optional<weir_status> resolved;  ///< absent: it did not come to resolve()
  std::optional<std::string> key;       ///< that prepare() set
  std::optional<std::int64_t> event_time_ms;
  std::string reason;
  std::vector<Feature> features;
  std::optional<std::string> state;  ///< saved after the call; absent: none, or stateless

  /// What notify() did when the timer that the call had set came due.
  struct Firing {
    std::int64_t at_ms = 0;
    weir_status status = WEIR_OK;
    std::string reason;
    std::vector<Feature> features;
    std::optional<std::string> state;
    bool operator==(const Firing&) const = default;
  };
  std::vector<Firing> firings;
  bool operator==(const CheckOutcome&) const = default;

  /// Where this differs from `other`, in words.
  std::string difference(const CheckOutcome& other) const;
};

/// One instance of one resolver with the States of its keys, driven as the host drives it, but with
/// every answer checked. A broken rule is a BrokenRule that names the slot.
class DrivenResolver {
 public:
  /// Null: the plugin refuses `settings`; `*reason` says why. With `guarded`, all that the plugin
  /// is shown lies in guarded memory, and what it has handed back must not change afterwards.
  static std::unique_ptr<DrivenResolver> create(std::shared_ptr<Plugin> plugin,
                                                const Manifest::Resolver& resolver,
                                                std::string_view settings, std::string* reason,
                                                bool guarded = false);
  ~DrivenResolver();
  DrivenResolver(const DrivenResolver&) = delete;
  DrivenResolver& operator=(const DrivenResolver&) = delete;

  /// Prepares `records` in batches of `batch_size`, each batch before the earlier one is freed, and
  /// resolves them in order with a commit after each. A timer that a record sets fires at once, and
  /// those that its handler sets, up to three in all.
  std::vector<CheckOutcome> run(std::span<const CheckRecord> records, std::size_t batch_size = 16);

  /// A run() that takes longer is a BrokenRule.
  void set_time_max(std::chrono::milliseconds time_max) { time_max_ = time_max; }

  bool stateless() const { return resolver_.state_type.empty(); }
  const std::map<std::string, std::string>& stored() const { return stored_; }

  /// The States of another build, written with `state_version`, as if they were stored here.
  void adopt(std::map<std::string, std::string> states, std::uint32_t state_version);

  /// Loads `bytes` (null: the initial State) and saves it twice. Absent: the plugin refuses the
  /// bytes; `*reason` says why. `state_version` of the code that wrote them; absent: the own one.
  std::optional<std::string> reload(const std::string* bytes, std::string* reason,
                                    std::optional<std::uint32_t> state_version = {});

 private:
  struct Batch;
  DrivenResolver(std::shared_ptr<Plugin> plugin, const Manifest::Resolver& resolver);
  std::unique_ptr<Batch> prepare(std::span<const CheckRecord> records, std::int64_t first_offset);
  void resolve(const Batch& batch, std::size_t index, CheckOutcome& outcome);
  void fire(const std::string& key, std::int64_t at_ms, CheckOutcome& outcome);
  weir_state* live_state(const std::string& key);
  void begin_call(std::int64_t event_time_ms);
  std::vector<CheckOutcome::Feature> take_features(std::string_view slot);
  std::optional<std::string> finish_call(const std::string& key, weir_status status);
  weir_state* load(std::string_view key, const std::string* bytes, std::uint32_t state_version,
                   std::string* reason);
  std::string save(std::string_view key, const weir_state* state);

  std::shared_ptr<Plugin> plugin_;  // shared: the instance keeps the file mapped
  const Manifest::Resolver& resolver_;
  const weir_resolver& slots_;
  weir_instance* instance_ = nullptr;
  weir_bytes show(weir_bytes bytes);
  void keep(std::vector<std::string_view> handed_back);
  void check_kept() const;

  /// What earlier calls have handed back, and its memory.
  struct Kept {
    Arena arena;
    std::vector<std::pair<std::string_view, std::string>> pieces;
  };

  std::unique_ptr<GuardedMemory> guard_;  // null: not guarded
  std::deque<Kept> kept_;
  std::chrono::milliseconds time_max_ = std::chrono::milliseconds::max();
  Arena arena_;
  Call call_;
  std::map<std::string, weir_state*> live_;
  std::map<std::string, std::string> stored_;
  std::map<std::string, std::uint32_t> adopted_;  // by key: who wrote what is stored
};

}  // namespace weir::host
