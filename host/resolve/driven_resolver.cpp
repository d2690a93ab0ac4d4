#include "resolve/driven_resolver.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <type_traits>
#include <utility>

#include <cxxabi.h>

#include "base/bytes.hpp"
#include "base/limits.hpp"

namespace weir::host {

namespace {

constexpr std::string_view topic = "check";

/// The name of the exception that is being handled.
std::string current_exception_name() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "an exception";
  int status = 0;
  char* name = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  std::string out = status == 0 ? name : type->name();
  std::free(name);  // NOLINT(cppcoreguidelines-no-malloc): made by __cxa_demangle
  return out;
}

/// Calls a slot through a pointer that may throw, so that an exception of a plugin whose slot is
/// not really noexcept arrives here.
template <typename R, typename... Args>
[[gnu::noinline]] R call_slot(const char* name, R (*slot)(Args...),
                              std::type_identity_t<Args>... args) {
  try {
    return slot(args...);
  } catch (const std::exception& crossed) {
    throw BrokenRule(
        fmt::format("{} crossed the border out of {}(): {}; catch it and return a "
                    "status",
                    current_exception_name(), name, crossed.what()));
  } catch (...) {
    throw BrokenRule(fmt::format("{} crossed the border out of {}(); catch it and return a status",
                                 current_exception_name(), name));
  }
}

std::string status_name(weir_status status) {
  static constexpr std::array<std::string_view, 5> names = {"WEIR_OK", "WEIR_SKIP", "WEIR_REJECT",
                                                            "WEIR_RETRY", "WEIR_FATAL"};
  if (status < 0 || static_cast<std::size_t>(status) >= names.size()) {
    return fmt::format("status {}", status);
  }
  return std::string(names[static_cast<std::size_t>(status)]);
}

std::optional<std::string> owned(weir_bytes bytes) {
  if (bytes.data == nullptr) return {};
  return std::string(from_abi(bytes));
}

weir_bytes maybe_abi(const std::optional<std::string>& bytes) {
  return bytes ? to_abi(*bytes) : absent_bytes;
}

std::string shown(const std::optional<std::string>& bytes) {
  return bytes ? fmt::format("\"{}\" ({} B)", printable(*bytes), bytes->size()) : "absent";
}

}  // namespace

std::string CheckOutcome::difference(const CheckOutcome& other) const {
  if (prepared != other.prepared) {
    return fmt::format("prepare() says {} and {}", status_name(prepared),
                       status_name(other.prepared));
  }
  if (key != other.key) return fmt::format("the key is {} and {}", shown(key), shown(other.key));
  if (event_time_ms != other.event_time_ms) return "the event times differ";
  if (resolved != other.resolved) {
    return fmt::format("resolve() says {} and {}", status_name(resolved.value_or(WEIR_SKIP)),
                       status_name(other.resolved.value_or(WEIR_SKIP)));
  }
  if (reason != other.reason) {
    return fmt::format("the reason is \"{}\" and \"{}\"", printable(reason),
                       printable(other.reason));
  }
  if (features.size() != other.features.size()) {
    return fmt::format("{} and {} features", features.size(), other.features.size());
  }
  for (std::size_t i = 0; i < features.size(); ++i) {
    if (features[i] != other.features[i]) {
      return fmt::format("feature {} is {} and {}", i, shown(features[i].bytes),
                         shown(other.features[i].bytes));
    }
  }
  if (state != other.state) {
    return fmt::format("the State is {} and {}", shown(state), shown(other.state));
  }
  if (firings != other.firings) return "what its timers did differs";
  return "nothing";
}

/// One run of records, as prepare() sees and keeps it.
struct DrivenResolver::Batch {
  Batch(DrivenResolver& resolver, std::span<const CheckRecord> given) : owner(resolver) {
    headers.reserve(given.size());
    for (const CheckRecord& record : given) {
      auto& list = headers.emplace_back();
      for (const auto& [name, value] : record.headers) {
        list.push_back({to_abi(name), maybe_abi(value)});
      }
    }
  }
  ~Batch() {
    if (handle != nullptr) owner.slots_.batch_free(owner.instance_, handle);
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  DrivenResolver& owner;
  Arena arena;  // outlives the handle: what prepare() reserved lies in it
  std::vector<std::vector<weir_header>> headers;
  std::vector<weir_record> records;
  std::vector<weir_prepared> prepared;
  weir_batch* handle = nullptr;
};

DrivenResolver::DrivenResolver(std::shared_ptr<Plugin> plugin, const Manifest::Resolver& resolver)
    : plugin_(std::move(plugin)), resolver_(resolver), slots_(*plugin_->resolver(resolver.name)) {}

std::unique_ptr<DrivenResolver> DrivenResolver::create(std::shared_ptr<Plugin> plugin,
                                                       const Manifest::Resolver& resolver,
                                                       std::string_view settings,
                                                       std::string* reason) {
  std::unique_ptr<DrivenResolver> self(new DrivenResolver(std::move(plugin), resolver));
  Call& call = self->call_;
  call.begin(&self->arena_);
  const weir_status status = call_slot("create", self->slots_.create, self->plugin_->host(),
                                       to_abi(settings), &self->instance_, &call.abi);
  if (status == WEIR_OK) {
    if (self->instance_ == nullptr) throw BrokenRule("create() returned WEIR_OK and no instance");
    return self;
  }
  if (self->instance_ != nullptr) {
    self->instance_ = nullptr;
    throw BrokenRule(fmt::format("create() returned {} and an instance", status_name(status)));
  }
  if (status != WEIR_REJECT && status != WEIR_FATAL && status != WEIR_RETRY &&
      status != WEIR_SKIP) {
    throw BrokenRule(fmt::format("create() returned {}, which is not defined", status));
  }
  *reason = call.reason;
  return nullptr;
}

DrivenResolver::~DrivenResolver() {
  for (const auto& [key, state] : live_) slots_.state_free(instance_, state);
  if (instance_ != nullptr) slots_.destroy(instance_);
}

std::unique_ptr<DrivenResolver::Batch> DrivenResolver::prepare(std::span<const CheckRecord> records,
                                                               std::int64_t first_offset) {
  auto batch = std::make_unique<Batch>(*this, records);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const CheckRecord& given = records[i];
    weir_record record{};
    record.key = maybe_abi(given.key);
    record.value = maybe_abi(given.value);
    record.headers = batch->headers[i].empty() ? nullptr : batch->headers[i].data();
    record.header_count = batch->headers[i].size();
    record.topic = to_abi(topic);
    record.offset = first_offset + static_cast<std::int64_t>(i);
    record.timestamp_ms = given.timestamp_ms;
    batch->records.push_back(record);
  }
  batch->prepared.assign(records.size(), weir_prepared{});
  const weir_records view{sizeof(weir_records), sizeof(weir_record), batch->records.data(),
                          batch->records.size()};
  call_.begin(&batch->arena);
  call_.reserve_bytes_max = value_bytes_max;
  const weir_status status =
      call_slot("prepare", slots_.prepare, instance_, &view, batch->prepared.data(),
                sizeof(weir_prepared), &batch->handle, &call_.abi);
  if (status != WEIR_OK) {
    if (batch->handle != nullptr) {
      batch->handle = nullptr;
      throw BrokenRule(fmt::format("prepare() returned {} and a batch", status_name(status)));
    }
    throw BrokenRule(
        fmt::format("prepare() refuses a whole run of {} records with {}: {}; refuse "
                    "single records through their verdict",
                    records.size(), status_name(status), call_.reason));
  }
  for (const weir_prepared& one : batch->prepared) {
    const bool known = one.verdict == WEIR_OK || one.verdict == WEIR_SKIP ||
                       one.verdict == WEIR_REJECT || one.verdict == WEIR_FATAL;
    if (!known) {
      throw BrokenRule(
          fmt::format("prepare() gives the verdict {}, allowed are WEIR_OK, WEIR_SKIP, "
                      "WEIR_REJECT and WEIR_FATAL",
                      status_name(one.verdict)));
    }
    if ((one.flags & ~(WEIR_PREPARED_KEY | WEIR_PREPARED_EVENT_TIME)) != 0) {
      throw BrokenRule(fmt::format("prepare() sets flags {:#x}, which are not defined", one.flags));
    }
    if (one.verdict == WEIR_OK && (one.flags & WEIR_PREPARED_KEY) != 0 && one.key.data == nullptr) {
      throw BrokenRule("prepare() sets WEIR_PREPARED_KEY and no key");
    }
  }
  return batch;
}

weir_state* DrivenResolver::load(std::string_view key, const std::string* bytes,
                                 std::uint32_t state_version, std::string* reason) {
  call_.begin(&arena_);
  call_.abi.key = to_abi(key);
  weir_state* state = nullptr;
  const weir_status status = call_slot(
      "state_load", slots_.state_load, instance_, bytes == nullptr ? absent_bytes : to_abi(*bytes),
      std::min(state_version, resolver_.state_version), &state, &call_.abi);
  if (status == WEIR_OK) {
    if (state == nullptr) throw BrokenRule("state_load() returned WEIR_OK and no State");
    return state;
  }
  if (state != nullptr) {
    throw BrokenRule(fmt::format("state_load() returned {} and a State", status_name(status)));
  }
  *reason = call_.reason.empty() ? "it gives no reason" : call_.reason;
  return nullptr;
}

std::string DrivenResolver::save(std::string_view key, const weir_state* state) {
  std::string first;
  for (int time = 0; time < 2; ++time) {
    arena_.reset();
    call_.begin(&arena_);
    call_.reserve_bytes_max = state_bytes_max;
    call_.abi.key = to_abi(key);
    weir_bytes bytes = absent_bytes;
    const weir_status status =
        call_slot("state_save", slots_.state_save, instance_, state, &bytes, &call_.abi);
    if (status != WEIR_OK) {
      throw BrokenRule(
          fmt::format("state_save() returned {}: {}", status_name(status), call_.reason));
    }
    if (bytes.data == nullptr) throw BrokenRule("state_save() returned WEIR_OK and no bytes");
    std::string saved(from_abi(bytes));
    if (time == 1 && saved != first) {
      throw BrokenRule(
          fmt::format("state_save() of one State gives {} and then {}; serialize maps "
                      "in a fixed order",
                      shown(first), shown(saved)));
    }
    first = std::move(saved);
  }
  return first;
}

void DrivenResolver::adopt(std::map<std::string, std::string> states, std::uint32_t state_version) {
  stored_ = std::move(states);
  for (const auto& [key, bytes] : stored_) adopted_[key] = state_version;
}

std::optional<std::string> DrivenResolver::reload(const std::string* bytes, std::string* reason,
                                                  std::optional<std::uint32_t> state_version) {
  weir_state* state = load("ana", bytes, state_version.value_or(resolver_.state_version), reason);
  if (state == nullptr) return {};
  std::string saved = save("ana", state);
  slots_.state_free(instance_, state);
  return saved;
}

void DrivenResolver::resolve(const Batch& batch, std::size_t index, CheckOutcome& outcome) {
  const weir_prepared& prepared = batch.prepared[index];
  const weir_record& record = batch.records[index];
  outcome.prepared = prepared.verdict;
  outcome.reason = prepared.reason.data == nullptr ? "" : std::string(from_abi(prepared.reason));
  if (prepared.verdict != WEIR_OK) return;
  if ((prepared.flags & WEIR_PREPARED_KEY) != 0) outcome.key = owned(prepared.key);
  if ((prepared.flags & WEIR_PREPARED_EVENT_TIME) != 0) {
    outcome.event_time_ms = prepared.event_time_ms;
  }
  const std::optional<std::string> key = outcome.key ? outcome.key : owned(record.key);
  // The host sets records without a usable key aside before they come to a State.
  const bool usable = key && !key->empty() && key->size() <= key_bytes_max;
  if (!stateless() && !usable) return;

  weir_state* const state = stateless() ? nullptr : live_state(*key);
  begin_call(outcome.event_time_ms.value_or(record.timestamp_ms));
  call_.abi.record = &record;
  call_.abi.key = maybe_abi(key);
  call_.abi.arrival_time_ms = record.timestamp_ms;
  const weir_status status =
      call_slot("resolve", slots_.resolve, instance_, prepared.message, state, &call_.abi);
  if (status < WEIR_OK || status > WEIR_FATAL) {
    throw BrokenRule(fmt::format("resolve() returned {}, which is not defined", status));
  }
  outcome.resolved = status;
  outcome.reason = call_.reason;
  outcome.features = features();
  if (stateless()) return;
  const bool timer = status == WEIR_OK && call_.timer == TimerChange::set && !call_.discard;
  const std::int64_t at_ms = call_.timer_ms;
  outcome.state = finish_call(*key, status);
  if (timer) fire(*key, at_ms, outcome);
}

void DrivenResolver::begin_call(std::int64_t event_time_ms) {
  arena_.reset();
  call_.begin(&arena_);
  call_.output_count = static_cast<std::uint32_t>(resolver_.features.size());
  call_.timers = stateless()        ? TimerUse::stateless
                 : resolver_.timers ? TimerUse::allowed
                                    : TimerUse::no_handler;
  call_.abi.event_time_ms = event_time_ms;
}

std::vector<CheckOutcome::Feature> DrivenResolver::features() const {
  std::vector<CheckOutcome::Feature> out;
  for (const EmittedFeature& feature : call_.features) {
    out.push_back({feature.output,
                   feature.has_key ? std::optional<std::string>(feature.key) : std::nullopt,
                   std::string(feature.bytes)});
  }
  return out;
}

weir_state* DrivenResolver::live_state(const std::string& key) {
  weir_state*& live = live_[key];
  if (live != nullptr) return live;
  const auto stored = stored_.find(key);
  std::string reason;
  const auto adopted = adopted_.find(key);
  live = load(key, stored == stored_.end() ? nullptr : &stored->second,
              adopted == adopted_.end() ? resolver_.state_version : adopted->second, &reason);
  if (live != nullptr) return live;
  live_.erase(key);
  throw BrokenRule(fmt::format("state_load() refuses {}: {}",
                               stored == stored_.end()     ? "to make the initial State"
                               : adopted == adopted_.end() ? "bytes of its own state_save()"
                                                           : "bytes that another build has saved",
                               reason));
}

/// The State as the call leaves it; absent: it is thrown away, or discarded.
std::optional<std::string> DrivenResolver::finish_call(const std::string& key, weir_status status) {
  weir_state* const state = live_.at(key);
  if (status == WEIR_OK && !call_.discard) {
    adopted_.erase(key);
    return stored_[key] = save(key, state);
  }
  // A failed or discarded State is thrown away; the next touch loads what was stored.
  slots_.state_free(instance_, state);
  live_.erase(key);
  if (status == WEIR_OK) stored_.erase(key);
  return {};
}

void DrivenResolver::fire(const std::string& key, std::int64_t at_ms, CheckOutcome& outcome) {
  constexpr int firings_max = 3;
  for (int i = 0; i < firings_max; ++i) {
    CheckOutcome::Firing firing;
    firing.at_ms = at_ms;
    weir_state* const state = live_state(key);
    begin_call(at_ms);
    call_.abi.key = to_abi(key);
    call_.abi.arrival_time_ms = at_ms;
    firing.status =
        call_slot("notify", slots_.notify, instance_, WEIR_CLOCK_ARRIVAL, state, &call_.abi);
    if (firing.status < WEIR_OK || firing.status > WEIR_FATAL) {
      throw BrokenRule(fmt::format("notify() returned {}, which is not defined", firing.status));
    }
    firing.reason = call_.reason;
    firing.features = features();
    const bool again =
        firing.status == WEIR_OK && call_.timer == TimerChange::set && !call_.discard;
    at_ms = std::max(call_.timer_ms, at_ms);
    firing.state = finish_call(key, firing.status);
    outcome.firings.push_back(std::move(firing));
    if (!again) return;
  }
}

std::vector<CheckOutcome> DrivenResolver::run(std::span<const CheckRecord> records,
                                              std::size_t batch_size) {
  std::vector<CheckOutcome> outcomes(records.size());
  std::unique_ptr<Batch> next;
  for (std::size_t begin = 0; begin < records.size(); begin += batch_size) {
    std::unique_ptr<Batch> batch = std::move(next);
    if (batch == nullptr) {
      batch = prepare(records.subspan(begin, std::min(batch_size, records.size() - begin)),
                      static_cast<std::int64_t>(begin));
    }
    const std::size_t end = begin + batch->prepared.size();
    if (end < records.size()) {
      next = prepare(records.subspan(end, std::min(batch_size, records.size() - end)),
                     static_cast<std::int64_t>(end));
    }
    for (std::size_t i = 0; i < batch->prepared.size(); ++i)
      resolve(*batch, i, outcomes[begin + i]);
  }
  return outcomes;
}

}  // namespace weir::host
