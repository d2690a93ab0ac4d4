#include "resolve/call.hpp"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/bytes.hpp"
#include "base/limits.hpp"

namespace weir::host {

namespace {

static_assert(std::is_standard_layout_v<Call>, "a pointer to its first member is one to it");

/// All memory of one batch or call. Above every single limit; ends a loop that only reserves.
constexpr std::size_t arena_bytes_max = std::size_t{1} << 30;

/// Empty features cost bookkeeping only, so their number needs a limit of its own.
constexpr std::uint32_t features_per_call_max = 1u << 20;

static_assert(state_bytes_max < arena_bytes_max && features_per_call_bytes_max < arena_bytes_max);

Call& from_plugin(weir_call* call) { return *reinterpret_cast<Call*>(call); }

/// The first limit that is hit is the reason; what the plugin makes of it does not hide it.
std::uint8_t* refuse(Call& call, std::string reason) {
  if (!call.limit_hit && !call.suppress) call.reason = std::move(reason);
  call.limit_hit = true;
  return nullptr;
}

std::uint8_t* allocate(Call& call, std::size_t size) {
  return reinterpret_cast<std::uint8_t*>(call.arena->allocate(size));
}

std::uint8_t* reserve(weir_call* abi, std::size_t size) noexcept {
  Call& call = from_plugin(abi);
  if (call.reserve_bytes_max == 0) {
    return refuse(call, "reserve() has no use in this slot");
  }
  if (size > call.reserve_bytes_max) {
    return refuse(call, fmt::format("the plugin asks for {} B to hand back, the limit is {} B",
                                    size, call.reserve_bytes_max));
  }
  if (size > arena_bytes_max - std::min(arena_bytes_max, call.arena->bytes())) {
    return refuse(call, fmt::format("the plugin has reserved {} B in one call and asks for {} B "
                                    "more, the limit is {} B",
                                    call.arena->bytes(), size, arena_bytes_max));
  }
  return allocate(call, size);
}

void set_reason(weir_call* abi, const char* text, std::size_t size) noexcept {
  Call& call = from_plugin(abi);
  if (call.suppress || call.limit_hit || text == nullptr) return;
  if (size > reason_bytes_max) {
    size = reason_bytes_max;
    // Not in the middle of a character: step back over the continuation bytes of UTF-8.
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0u) == 0x80u) --size;
  }
  if (simdjson::validate_utf8(text, size)) {
    call.reason.assign(text, size);
  } else {
    call.reason = printable({text, size}, reason_bytes_max);
    call.reason.resize(std::min(call.reason.size(), reason_bytes_max));
  }
}

std::uint8_t* emit(weir_call* abi, std::uint32_t output, weir_bytes key,
                   std::size_t size) noexcept {
  Call& call = from_plugin(abi);
  if (output >= call.output_count) {
    return refuse(call, call.output_count == 0
                            ? std::string("emit() has no use here: no output is declared, or the "
                                          "slot is not resolve()")
                            : fmt::format("emit() to output {}, the resolver declares {}", output,
                                          call.output_count));
  }
  if (size > feature_bytes_max) {
    return refuse(call,
                  fmt::format("a feature of {} B, the limit is {} B", size, feature_bytes_max));
  }
  const bool has_key = key.data != nullptr;
  const std::size_t key_size = has_key ? key.size : 0;
  if (key_size > feature_bytes_max) {
    return refuse(call, fmt::format("a feature's key of {} B, the limit is {} B", key_size,
                                    feature_bytes_max));
  }
  if (size + key_size > features_per_call_bytes_max - call.feature_bytes ||
      call.feature_count >= features_per_call_max) {
    return refuse(call, fmt::format("one call emits more than {} B or {} features",
                                    features_per_call_bytes_max, features_per_call_max));
  }
  call.feature_bytes += size + key_size;
  ++call.feature_count;
  std::uint8_t* bytes = allocate(call, size);
  if (call.suppress) return bytes;
  EmittedFeature feature;
  feature.output = output;
  feature.has_key = has_key;
  if (has_key) feature.key = call.arena->copy(from_abi(key));
  feature.bytes = {reinterpret_cast<const char*>(bytes), size};
  call.features.push_back(feature);
  return bytes;
}

void retry_after(weir_call* abi, std::int64_t milliseconds) noexcept {
  from_plugin(abi).retry_after_ms = std::max<std::int64_t>(0, milliseconds);
}

void discard_state(weir_call* abi) noexcept { from_plugin(abi).discard = true; }

/// Whether this call may say something of its key's timer; the reason goes with the call.
bool may_time(Call& call, std::int32_t clock) {
  std::string reason;
  switch (call.timers) {
    case TimerUse::wrong_slot:
      reason = "timers have no use in this slot";
      break;
    case TimerUse::stateless:
      reason = "a stateless resolver has no timers: a timer belongs to the State of a key";
      break;
    case TimerUse::no_handler:
      reason =
          "the resolver sets a timer and has nothing that it would call: add .on_notify<>() (the "
          "slot notify and \"timers arrival\" in the manifest)";
      break;
    case TimerUse::allowed:
      if (clock != WEIR_CLOCK_ARRIVAL) {
        reason = fmt::format("a timer on clock {}, this host knows {}", clock,
                             static_cast<int>(WEIR_CLOCK_ARRIVAL));
      } else if (call.abi.key.size > timer_key_bytes_max) {
        reason = fmt::format("a timer for a key of {} B, the limit is {} B", call.abi.key.size,
                             timer_key_bytes_max);
      } else {
        return true;
      }
      break;
  }
  refuse(call, std::move(reason));
  return false;
}

void set_timer(weir_call* abi, std::int32_t clock, std::int64_t time_ms) noexcept {
  Call& call = from_plugin(abi);
  if (!may_time(call, clock)) return;
  call.timer = TimerChange::set;
  call.timer_ms = time_ms;
}

void clear_timer(weir_call* abi, std::int32_t clock) noexcept {
  Call& call = from_plugin(abi);
  if (may_time(call, clock)) call.timer = TimerChange::clear;
}

}  // namespace

void Call::begin(Arena* slot_arena) {
  abi = weir_call{};
  abi.struct_size = sizeof(weir_call);
  arena = slot_arena;
  reserve_bytes_max = 0;
  output_count = 0;
  suppress = false;
  timers = TimerUse::wrong_slot;
  reason.clear();
  features.clear();
  feature_count = 0;
  feature_bytes = 0;
  retry_after_ms = 0;
  discard = false;
  timer = TimerChange::none;
  timer_ms = 0;
  limit_hit = false;
}

void fill_call_functions(weir_host& host) {
  host.reserve = reserve;
  host.set_reason = set_reason;
  host.emit = emit;
  host.retry_after = retry_after;
  host.discard_state = discard_state;
  host.set_timer = set_timer;
  host.clear_timer = clear_timer;
}

}  // namespace weir::host
