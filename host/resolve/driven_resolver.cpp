#include "resolve/driven_resolver.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <type_traits>
#include <utility>

#include <cxxabi.h>

#include "base/bytes.hpp"
#include "base/counted.hpp"
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

/// The elements of an array, in guarded memory where there is one. Null: there are none.
template <typename T>
const T* shown_array(GuardedMemory* guard, const std::vector<T>& array) {
  if (guard == nullptr || array.empty()) return array.empty() ? nullptr : array.data();
  const std::string_view bytes(reinterpret_cast<const char*>(array.data()),
                               array.size() * sizeof(T));
  return reinterpret_cast<const T*>(guard->show(bytes).data());
}

/// One run of records, as prepare() sees and keeps it.
struct DrivenResolver::Batch {
  Batch(DrivenResolver& resolver, std::span<const CheckRecord> given)
      : owner(resolver), shown_begin(owner.guard_ == nullptr ? 0 : owner.guard_->end()) {
    headers.reserve(given.size());
    for (const CheckRecord& record : given) {
      auto& list = headers.emplace_back();
      for (const auto& [name, value] : record.headers) {
        list.push_back({owner.show(to_abi(name)), owner.show(maybe_abi(value))});
      }
    }
  }
  ~Batch() {
    if (handle != nullptr) call_plugin(owner.slots_.batch_free, owner.instance_, handle);
    if (owner.guard_ != nullptr) owner.guard_->hide(shown_begin, shown_end);
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  DrivenResolver& owner;
  std::size_t shown_begin;
  std::size_t shown_end = shown_begin;
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
                                                       std::string* reason, bool guarded) {
  std::unique_ptr<DrivenResolver> self(new DrivenResolver(std::move(plugin), resolver));
  if (guarded) self->guard_ = std::make_unique<GuardedMemory>();
  const Showing showing(self->guard_.get());
  Call& call = self->call_;
  call.begin(&self->arena_);
  const weir_status status = call_slot("create", self->slots_.create, self->plugin_->host(),
                                       self->show(to_abi(settings)), &self->instance_, &call.abi);
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
  for (const auto& [key, state] : live_) call_plugin(slots_.state_free, instance_, state);
  if (instance_ != nullptr) call_plugin(slots_.destroy, instance_);
}

weir_bytes DrivenResolver::show(weir_bytes bytes) {
  if (guard_ == nullptr || bytes.data == nullptr) return bytes;
  return to_abi(guard_->show(from_abi(bytes)));
}

/// The call that has just returned has handed these back, in arena_.
void DrivenResolver::keep(std::vector<std::string_view> handed_back) {
  constexpr std::size_t calls_max = 16;
  if (guard_ == nullptr) return;
  Kept kept{std::exchange(arena_, Arena()), {}};
  for (const std::string_view piece : handed_back) kept.pieces.emplace_back(piece, piece);
  kept_.push_back(std::move(kept));
  if (kept_.size() > calls_max) kept_.pop_front();
}

void DrivenResolver::check_kept() const {
  for (const Kept& kept : kept_) {
    for (const auto& [now, then] : kept.pieces) {
      if (now == then) continue;
      throw BrokenRule(
          "it wrote to memory that reserve() or emit() gave to an earlier call: that is the host's "
          "when the call returns");
    }
  }
}

std::unique_ptr<DrivenResolver::Batch> DrivenResolver::prepare(std::span<const CheckRecord> records,
                                                               std::int64_t first_offset) {
  auto batch = std::make_unique<Batch>(*this, records);
  const weir_bytes topic_shown = show(to_abi(topic));
  for (std::size_t i = 0; i < records.size(); ++i) {
    const CheckRecord& given = records[i];
    weir_record record{};
    record.key = show(maybe_abi(given.key));
    record.value = show(maybe_abi(given.value));
    record.headers = shown_array(guard_.get(), batch->headers[i]);
    record.header_count = batch->headers[i].size();
    record.topic = topic_shown;
    record.offset = first_offset + static_cast<std::int64_t>(i);
    record.timestamp_ms = given.timestamp_ms;
    batch->records.push_back(record);
  }
  batch->prepared.assign(records.size(), weir_prepared{});
  const weir_records view{sizeof(weir_records), sizeof(weir_record),
                          shown_array(guard_.get(), batch->records), batch->records.size()};
  batch->shown_end = guard_ == nullptr ? 0 : guard_->end();
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
  const Showing showing(guard_.get());
  call_.begin(&arena_);
  call_.abi.key = show(to_abi(key));
  weir_state* state = nullptr;
  const weir_status status =
      call_slot("state_load", slots_.state_load, instance_,
                bytes == nullptr ? absent_bytes : show(to_abi(*bytes)),
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
    check_kept();
    const Showing showing(guard_.get());
    arena_.reset();
    call_.begin(&arena_);
    call_.reserve_bytes_max = state_bytes_max;
    call_.abi.key = show(to_abi(key));
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
    keep({from_abi(bytes)});
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
  call_plugin(slots_.state_free, instance_, state);
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
  const Showing showing(guard_.get());
  begin_call(outcome.event_time_ms.value_or(record.timestamp_ms));
  const std::vector<weir_record> records{record};
  call_.abi.record = shown_array(guard_.get(), records);
  call_.abi.key = show(maybe_abi(key));
  call_.abi.arrival_time_ms = record.timestamp_ms;
  const weir_status status =
      call_slot("resolve", slots_.resolve, instance_, prepared.message, state, &call_.abi);
  if (status < WEIR_OK || status > WEIR_FATAL) {
    throw BrokenRule(fmt::format("resolve() returned {}, which is not defined", status));
  }
  outcome.resolved = status;
  outcome.reason = call_.reason;
  outcome.features = take_features("resolve");
  if (stateless()) return;
  const bool timer = status == WEIR_OK && call_.timer == TimerChange::set && !call_.discard;
  const std::int64_t at_ms = call_.timer_ms;
  outcome.state = finish_call(*key, status);
  if (timer) fire(*key, at_ms, outcome);
}

void DrivenResolver::begin_call(std::int64_t event_time_ms) {
  check_kept();
  arena_.reset();
  call_.begin(&arena_);
  call_.output_count = static_cast<std::uint32_t>(resolver_.features.size());
  call_.timers = stateless()        ? TimerUse::stateless
                 : resolver_.timers ? TimerUse::allowed
                                    : TimerUse::no_handler;
  call_.abi.event_time_ms = event_time_ms;
}

std::vector<CheckOutcome::Feature> DrivenResolver::take_features(std::string_view slot) {
  // A key that is too long for a timer is the record's doing.
  if (call_.limit_hit && call_.abi.key.size <= timer_key_bytes_max) {
    throw BrokenRule(fmt::format("{}() asks for more than the host gives: {}", slot, call_.reason));
  }
  std::vector<CheckOutcome::Feature> out;
  for (const EmittedFeature& feature : call_.features) {
    out.push_back({feature.output,
                   feature.has_key ? std::optional<std::string>(feature.key) : std::nullopt,
                   std::string(feature.bytes)});
  }
  std::vector<std::string_view> handed_back;
  for (const EmittedFeature& feature : call_.features) handed_back.push_back(feature.bytes);
  keep(std::move(handed_back));
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
  call_plugin(slots_.state_free, instance_, state);
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
    const Showing showing(guard_.get());
    begin_call(at_ms);
    call_.abi.key = show(to_abi(key));
    call_.abi.arrival_time_ms = at_ms;
    firing.status =
        call_slot("notify", slots_.notify, instance_, WEIR_CLOCK_ARRIVAL, state, &call_.abi);
    if (firing.status < WEIR_OK || firing.status > WEIR_FATAL) {
      throw BrokenRule(fmt::format("notify() returned {}, which is not defined", firing.status));
    }
    firing.reason = call_.reason;
    firing.features = take_features("notify");
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
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
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
    for (std::size_t i = 0; i < batch->prepared.size(); ++i) {
      resolve(*batch, i, outcomes[begin + i]);
      const std::chrono::duration<double, std::milli> took = Clock::now() - start;
      if (took <= time_max_) continue;
      throw BrokenRule(fmt::format("it is too slow: {} took {:.0f} ms, {:.1f} ms each",
                                   counted(begin + i + 1, "record"), took.count(),
                                   took.count() / static_cast<double>(begin + i + 1)));
    }
  }
  return outcomes;
}

}  // namespace weir::host
