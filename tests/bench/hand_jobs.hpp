#pragma once

#include <cstdint>
#include <string_view>

#include "line.pb.h"
#include "unique_ips.pb.h"

namespace weir::host::bench {

/// The two jobs, as the loops written by hand do them; line/line.cpp and the sample unique_ips are
/// the same as plugins.

struct CountJob {
  using Message = line::Click;
  using State = line::Clicks;
  using Feature = line::Counted;

  /// The key of a State; `record_key` is the record's own.
  static std::string_view key(std::string_view record_key, const Message&) { return record_key; }
  /// Has the State changed?
  static bool apply(const Message&, State& state) {
    state.set_count(state.count() + 1);
    return true;
  }
  static void tell(const Message& message, const State& state, Feature& feature) {
    feature.set_user_id(message.user_id());
    feature.set_count(state.count());
  }
  static std::uint64_t weigh(const State& state) {
    return static_cast<std::uint64_t>(state.count());
  }
};

struct UniqueIpsJob {
  using Message = unique_ips::Visit;
  using State = unique_ips::Ips;
  using Feature = unique_ips::UniqueIps;

  static std::string_view key(std::string_view, const Message& message) {
    return message.user_id();
  }
  static bool apply(const Message& message, State& state) {
    return state.mutable_seen()->insert({message.ip(), true}).second;
  }
  static void tell(const Message& message, const State& state, Feature& feature) {
    feature.set_user_id(message.user_id());
    feature.set_unique_ips(state.seen_size());
  }
  static std::uint64_t weigh(const State& state) {
    return static_cast<std::uint64_t>(state.seen_size());
  }
};

}  // namespace weir::host::bench
