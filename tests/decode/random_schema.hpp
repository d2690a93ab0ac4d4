#pragma once

#include <cstdint>
#include <random>
#include <string>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/message.h>

namespace weir::test {

/// Numbers that a seed decides.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t bits() { return engine_(); }
  /// In [0, end); end is at least 1.
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(bits() % end); }
  bool chance(std::size_t percent) { return below(100) < percent; }

 private:
  std::mt19937_64 engine_;
};

/// From the environment variable WEIR_SEED, else always the same: a build must not fail by luck.
std::uint64_t seed_from_environment();
/// From the environment variable WEIR_CASES, else `fallback`.
std::size_t cases_from_environment(std::size_t fallback);

/// A file with messages r.M0, r.M1, ... that use every scalar type, enums, nesting, lists, maps,
/// oneofs, proto3 optional, wrappers and the other well-known types; proto2 one time in five.
google::protobuf::FileDescriptorProto random_file(Random& random);

/// Fills `message` with values that have a JSON form, edge cases more often than chance would.
void fill(google::protobuf::Message& message, Random& random, int depth = 3);

}  // namespace weir::test
