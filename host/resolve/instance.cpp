#include "resolve/instance.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/counted.hpp"
#include "base/limits.hpp"

namespace weir::host {

namespace {

std::string_view reason_or(const Call& call, std::string_view otherwise) {
  return call.reason.empty() ? otherwise : std::string_view(call.reason);
}

}  // namespace

PreparedRun::PreparedRun(PreparedRun&& other) noexcept
    : instance_(std::exchange(other.instance_, nullptr)),
      batch_(std::exchange(other.batch_, nullptr)),
      prepared_(std::move(other.prepared_)) {}

PreparedRun& PreparedRun::operator=(PreparedRun&& other) noexcept {
  std::swap(instance_, other.instance_);
  std::swap(batch_, other.batch_);
  std::swap(prepared_, other.prepared_);
  return *this;
}

void PreparedRun::release() {
  if (batch_ != nullptr) {
    instance_->note_no_record();
    const JournalCall noted = instance_->in_call(Slot::batch_free);
    call_plugin(instance_->slots_->batch_free, instance_->instance_, batch_);
  }
  batch_ = nullptr;
  prepared_.clear();
}

Result<std::unique_ptr<ResolverInstance>> ResolverInstance::create(std::shared_ptr<Plugin> plugin,
                                                                   std::string_view resolver,
                                                                   std::string_view settings,
                                                                   JournalPlace place) {
  std::unique_ptr<ResolverInstance> self(new ResolverInstance);
  self->slots_ = plugin->resolver(resolver);
  self->manifest_ = plugin->manifest().find(resolver);
  WEIR_ASSERT(self->slots_ != nullptr && self->manifest_ != nullptr, "checked by the caller");
  self->plugin_ = std::move(plugin);
  if (place.line != nullptr) self->line_ = place.line;
  if (place.control != nullptr) self->control_ = place.control;
  self->journal_resolver_ = place.resolver;
  self->generation_ = self->plugin_->generation();
  if (!self->stateless()) {
    self->timers_ = self->manifest_->timers ? TimerUse::allowed : TimerUse::no_handler;
  }

  Call& call = self->call_;
  call.begin(&self->call_arena_);
  const JournalCall noted = self->in_control_call(Slot::create);
  const weir_status status = call_plugin(self->slots_->create, self->plugin_->host(),
                                         to_abi(settings), &self->instance_, &call.abi);
  if (status != WEIR_OK || self->instance_ == nullptr) {
    self->instance_ = nullptr;
    return host::error(Errc::config, "plugin {} {}: resolver {} refuses its settings: {}",
                       self->plugin_->manifest().plugin, self->plugin_->manifest().version,
                       resolver, reason_or(call, "it gives no reason"));
  }
  return self;
}

ResolverInstance::~ResolverInstance() {
  if (instance_ == nullptr) return;
  const JournalCall noted = in_control_call(Slot::destroy);
  call_plugin(slots_->destroy, instance_);
}

JournalCall ResolverInstance::in_control_call(Slot slot) {
  control_->set_record(0, 0);
  control_->set_key({});
  control_->set_thread();
  return {*control_, slot, journal_resolver_, generation_};
}

Result<void> ResolverInstance::prepare(std::span<const weir_record> records, Arena& arena,
                                       PreparedRun& run) {
  run.release();
  run.instance_ = this;
  run.prepared_.assign(records.size(), weir_prepared{});
  if (records.empty()) return {};

  const weir_records view{sizeof(weir_records), sizeof(weir_record), records.data(),
                          records.size()};
  call_.begin(&arena);
  call_.reserve_bytes_max = value_bytes_max;
  line_->set_record(records.front().offset,
                    static_cast<std::uint32_t>(records.back().offset - records.front().offset + 1));
  line_->set_key({});
  line_->set_thread();
  const JournalCall noted = in_call(Slot::prepare);
  const weir_status status = call_plugin(slots_->prepare, instance_, &view, run.prepared_.data(),
                                         sizeof(weir_prepared), &run.batch_, &call_.abi);
  if (status != WEIR_OK) {
    run.batch_ = nullptr;
    return host::error(Errc::internal, "resolver {} could not prepare {}: {}", manifest_->name,
                       counted(records.size(), "record"), reason_or(call_, "it gives no reason"));
  }
  return {};
}

void ResolverInstance::begin_call(std::string_view key, CallTimes times, bool suppress) {
  if (call_arena_.bytes() > 0) call_arena_.reset();
  call_.begin(&call_arena_);
  call_.output_count = static_cast<std::uint32_t>(manifest_->features.size());
  call_.suppress = suppress;
  call_.timers = timers_;
  call_.abi.key = key.data() == nullptr ? absent_bytes : to_abi(key);
  call_.abi.event_time_ms = times.event_ms;
  call_.abi.arrival_time_ms = times.arrival_ms;
}

weir_status ResolverInstance::resolve(const weir_message* message, weir_state* state,
                                      const weir_record& record, std::string_view key,
                                      CallTimes times, bool suppress) {
  begin_call(key, times, suppress);
  call_.abi.record = &record;
  line_->set_record(record.offset, 1);
  line_->set_key(key);
  const JournalCall noted = in_call(Slot::resolve);
  return call_plugin(slots_->resolve, instance_, message, state, &call_.abi);
}

weir_status ResolverInstance::notify(weir_state* state, std::string_view key, CallTimes times,
                                     bool suppress) {
  WEIR_ASSERT(manifest_->timers, "notify() of a resolver without timers");
  begin_call(key, times, suppress);
  line_->set_record(times.event_ms, 1);
  line_->set_key(key);
  const JournalCall noted = in_call(Slot::notify);
  return call_plugin(slots_->notify, instance_, WEIR_CLOCK_ARRIVAL, state, &call_.abi);
}

Result<weir_state*> ResolverInstance::load(std::string_view key, const std::string_view* bytes,
                                           std::uint32_t state_version) {
  call_.begin(&call_arena_);
  call_.abi.key = to_abi(key);
  weir_state* state = nullptr;
  line_->set_key(key);
  line_->set_thread();
  const JournalCall noted = in_call(Slot::state_load);
  const weir_status status =
      call_plugin(slots_->state_load, instance_, bytes == nullptr ? absent_bytes : to_abi(*bytes),
                  std::min(state_version, manifest_->state_version), &state, &call_.abi);
  if (status != WEIR_OK || state == nullptr) {
    return host::error(Errc::corrupt,
                       "resolver {} cannot load the State of key \"{}\" ({}): {}; look at it with "
                       "`weir state get`",
                       manifest_->name, printable(key),
                       bytes == nullptr ? "the initial one" : fmt::format("{} B", bytes->size()),
                       reason_or(call_, "it gives no reason"));
  }
  return state;
}

Result<std::string_view> ResolverInstance::save(const weir_state* state, std::string_view key,
                                                Arena& arena) {
  call_.begin(&arena);
  call_.reserve_bytes_max = state_bytes_max;
  call_.abi.key = to_abi(key);
  weir_bytes bytes = absent_bytes;
  line_->set_key(key);
  line_->set_thread();
  const JournalCall noted = in_call(Slot::state_save);
  const weir_status status = call_plugin(slots_->state_save, instance_, state, &bytes, &call_.abi);
  if (status != WEIR_OK) {
    if (call_.limit_hit) {
      return host::error(Errc::refused,
                         "resolver {} cannot save the State of key \"{}\": {}; make the resolver "
                         "keep less for a key, or spread it over several keys",
                         manifest_->name, printable(key), reason_or(call_, "it is too large"));
    }
    return host::error(Errc::internal, "resolver {} cannot save the State of key \"{}\": {}",
                       manifest_->name, printable(key), reason_or(call_, "it gives no reason"));
  }
  return from_abi(bytes);
}

void ResolverInstance::free(weir_state* state) {
  line_->set_key({});
  line_->set_thread();
  const JournalCall noted = in_call(Slot::state_free);
  call_plugin(slots_->state_free, instance_, state);
}

}  // namespace weir::host
