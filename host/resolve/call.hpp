#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <weir/abi.h>

#include "base/arena.hpp"

namespace weir::host {

/// One feature as resolve() emitted it, before it is known whether the call succeeds.
struct EmittedFeature {
  std::uint32_t output = 0;
  bool has_key = false;
  std::string_view key;    ///< copied into the call's arena
  std::string_view bytes;  ///< in the call's arena
};

/// What a call wants of its key's timer.
enum class TimerChange : std::uint8_t { none, set, clear };

/// May a slot set timers, and if not, why?
enum class TimerUse : std::uint8_t { allowed, wrong_slot, stateless, no_handler };

/// The host's side of one call of a slot: what weir_host's functions write to. The ABI part comes
/// first, so that a weir_call* from the plugin is a Call*. Reused from call to call. [task]
struct Call {
  weir_call abi{};

  Arena* arena = nullptr;             ///< where reserve() and emit() take memory
  std::size_t reserve_bytes_max = 0;  ///< per reserve(); 0: reserve() is not allowed in this slot
  std::uint32_t output_count = 0;     ///< emit() refuses other numbers; 0: emit() is not allowed
  bool suppress = false;              ///< rebuilding: features and reasons are dropped
  TimerUse timers = TimerUse::wrong_slot;

  std::string reason;  ///< valid UTF-8
  std::vector<EmittedFeature> features;
  std::uint32_t feature_count = 0;  ///< suppressed ones too, so that a repeat meets equal limits
  std::size_t feature_bytes = 0;    ///< with their keys; suppressed ones too
  std::int64_t retry_after_ms = 0;
  bool discard = false;
  TimerChange timer = TimerChange::none;
  std::int64_t timer_ms = 0;  ///< with TimerChange::set
  bool limit_hit = false;     ///< reserve() or emit() returned NULL; `reason` says which limit

  /// Empty again, as before the first use; what the slot may do is set afterwards. `slot_arena`
  /// outlives the call.
  void begin(Arena* slot_arena);
};

/// Fills the functions that take a weir_call.
void fill_call_functions(weir_host& host);

/// Calls a function of a plugin. Nothing may be thrown across the border; what is thrown all the
/// same ends the process here, inside of the call, so that it is known whose fault it was. (The
/// noexcept in the slots' types alone would let the exception pass.)
template <typename R, typename... Parameters>
R call_plugin(R (*slot)(Parameters...), std::type_identity_t<Parameters>... arguments) noexcept {
  return slot(arguments...);
}

inline weir_bytes to_abi(std::string_view bytes) {
  static constexpr char empty = 0;
  const char* data = bytes.data() != nullptr ? bytes.data() : &empty;
  return {reinterpret_cast<const std::uint8_t*>(data), bytes.size()};
}
inline constexpr weir_bytes absent_bytes{nullptr, 0};
inline std::string_view from_abi(weir_bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data), bytes.size};
}

}  // namespace weir::host
