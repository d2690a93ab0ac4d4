#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resolve/plugin.hpp"

namespace weir::host {

/// A record that owns its bytes.
struct CheckRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::int64_t timestamp_ms = 0;
};

/// Random records for one resolver, of one seed. [one thread]
class RecordMaker {
 public:
  RecordMaker(const Plugin& plugin, const Manifest::Resolver& resolver, std::uint64_t seed);

  /// The bytes of a random message of the resolver's type, or random text where it takes bytes.
  CheckRecord valid();
  /// Empty, random, cut off or damaged; absent only where the resolver takes bytes.
  CheckRecord malformed();

  std::vector<CheckRecord> valid(std::size_t count);
  std::vector<CheckRecord> malformed(std::size_t count);

  /// A random message of `type` as bytes; `type` is a full name of the plugin's schemas.
  std::string message(std::string_view type);
  /// `bytes` cut off, damaged, or replaced by noise.
  std::string damaged(std::string bytes);

 private:
  CheckRecord envelope();
  std::uint64_t below(std::uint64_t end) { return random_() % end; }

  const Plugin& plugin_;
  const Manifest::Resolver& resolver_;
  std::mt19937_64 random_;
};

/// True where `bytes` are a whole message of `type`, a full name of the plugin's schemas.
bool is_message(const Plugin& plugin, std::string_view type, std::string_view bytes);

}  // namespace weir::host
