#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::host {

/// Why a record does not reach a resolver, or is refused by it; each has a policy on the source.
enum class SetAside {
  late,         ///< older than the late-arrival deadline when it arrived
  undecodable,  ///< its bytes do not fit the source's format and the message type
  null_value,   ///< it has no value, and the resolver takes a message
  rejected,     ///< the resolver refused it, or asked for it too often
  key,          ///< no key, an empty one, or one that is too long
  misplaced,    ///< its extracted key belongs to another partition
  crashed,      ///< the resolver has crashed on it, more than once
  count,
};

/// The word for it in dead letters, metrics and configuration.
constexpr std::string_view name_of(SetAside kind) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(SetAside::count)> names{
      "late", "undecodable", "null_value", "rejected", "key", "misplaced", "crashed"};
  return names[static_cast<std::size_t>(kind)];
}

/// What became of the records that were one resolver's to take. A record that several resolvers
/// share a decoding of is undecodable, or without a value, for the first of them.
struct Outcomes {
  std::uint64_t resolved = 0;
  std::uint64_t skipped = 0;
  std::uint64_t features = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t returned = 0;  ///< dead letters that were sent back and handled again
  std::uint64_t fired = 0;     ///< timers whose handler succeeded
  std::array<std::uint64_t, static_cast<std::size_t>(SetAside::count)> set_aside{};

  Outcomes& operator+=(const Outcomes& other);
};

/// What a task has done since it was opened, or several. Outcomes are per (record, resolver).
struct Counters : Outcomes {
  std::uint64_t records = 0;
  std::uint64_t retries = 0;
  std::uint64_t commits = 0;

  Counters& operator+=(const Counters& other);
};

}  // namespace weir::host
