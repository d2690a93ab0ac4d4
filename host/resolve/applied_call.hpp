#pragma once

#include <cstdint>
#include <string_view>

#include <weir/abi.h>

#include "base/arena.hpp"

namespace weir::host {

/// One successful call of the open commit, with a copy of its record in one piece, so that the call
/// can be repeated; or the firing of a timer, which has no record. Compact because all of them
/// together are what an open commit weighs: 64 bytes beside the value.
struct AppliedCall {
  AppliedCall* previous = nullptr;  ///< of the same key
  weir_bytes topic{};               ///< the source's own bytes
  std::int64_t offset = 0;          ///< or `timer`
  std::int64_t timestamp_ms = 0;    ///< what a timer was set to
  std::int64_t arrival_ms = 0;      ///< the task's clock at the call
  std::int32_t partition = 0;
  std::uint32_t key_size = 0;    ///< or one of the marks below
  std::uint32_t value_size = 0;  ///< or `absent`
  std::uint32_t header_count = 0;
  // Behind it: value, key, then each header: name size, value size, name, value.

  static constexpr std::int64_t timer = -1;
  static constexpr std::uint32_t absent = 0xffffffff;
  static constexpr std::uint32_t key_is_state_key = 0xfffffffe;  ///< not stored a second time
};

/// A copy of `record` in `arena`; of its topic only the address, which lives as long as the task.
AppliedCall* keep_call(const weir_record& record, std::int64_t arrival_ms,
                       std::string_view state_key, AppliedCall* previous, Arena& arena);

AppliedCall* keep_firing(std::int64_t at_ms, std::int64_t arrival_ms, AppliedCall* previous,
                         Arena& arena);

/// The record again: views into `call` and `state_key`, its headers in `arena`.
weir_record restore_record(const AppliedCall& call, std::string_view state_key, Arena& arena);

}  // namespace weir::host
