#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace weir::host {

/// The environment's format as a whole; host/docs/record-format.md describes 1.
inline constexpr std::uint32_t environment_format = 1;

/// Names of databases and fixed keys in a task's environment.
namespace names {

inline constexpr const char* meta = "meta";
inline constexpr const char* resolvers = "resolvers";
inline constexpr const char* schemas = "schemas";
inline constexpr const char* outbox = "outbox";

inline constexpr const char* environment = "environment";
inline constexpr const char* head = "head";

inline std::string state(std::uint32_t id) { return "state." + std::to_string(id); }

/// Little-endian; 1 to 65535, because a State's row has 16 bits for it.
inline std::string schema_key(std::uint32_t id) {
  std::string key;
  append_le(key, id);
  return key;
}
inline std::optional<std::uint32_t> schema_id(std::string_view key) {
  if (key.size() != sizeof(std::uint32_t)) return std::nullopt;
  const auto id = load_le<std::uint32_t>(key.data());
  if (id == 0 || id > 0xffff) return std::nullopt;
  return id;
}

/// Big-endian, so that rows are in the order of their numbers.
inline std::string outbox_key(std::uint32_t index) {
  return {static_cast<char>(index >> 24), static_cast<char>(index >> 16),
          static_cast<char>(index >> 8), static_cast<char>(index)};
}

}  // namespace names
}  // namespace weir::host
