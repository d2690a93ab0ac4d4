#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace weir::host {

/// The environment's format as a whole; host/docs/record-format.md describes them. It stays at the
/// lowest that says what is in it, so that an older host can go on with it.
inline constexpr std::uint32_t environment_format_at_first = 1;
inline constexpr std::uint32_t environment_format_with_timers = 2;
inline constexpr std::uint32_t environment_format_with_parked = 3;
inline constexpr std::uint32_t environment_format_with_undo = 4;
inline constexpr std::uint32_t environment_format = environment_format_with_undo;

/// Names of databases and fixed keys in a task's environment.
namespace names {

inline constexpr const char* meta = "meta";
inline constexpr const char* resolvers = "resolvers";
inline constexpr const char* schemas = "schemas";
inline constexpr const char* outbox = "outbox";
inline constexpr const char* timers = "timers";
inline constexpr const char* due = "due";
inline constexpr const char* parked = "parked";
inline constexpr const char* parked_records = "parked_records";

inline constexpr const char* environment = "environment";
inline constexpr const char* head = "head";
inline constexpr const char* undo = "undo";

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
inline void append_be(std::string& to, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) to.push_back(static_cast<char>(number >> shift));
}
inline void append_be(std::string& to, std::uint64_t number) {
  append_be(to, static_cast<std::uint32_t>(number >> 32));
  append_be(to, static_cast<std::uint32_t>(number));
}
inline std::string outbox_key(std::uint32_t index) {
  std::string key;
  append_be(key, index);
  return key;
}

/// All timers of a resolver have this in front.
inline std::string timer_prefix(std::uint32_t resolver) {
  std::string key;
  append_be(key, resolver);
  return key;
}
inline std::string timer_key(std::uint32_t resolver, std::string_view key) {
  return timer_prefix(resolver).append(key);
}

/// In the order of (resolver, time, key); times before 1970 too.
inline constexpr std::size_t due_key_head_bytes = 12;
inline std::string due_key(std::uint32_t resolver, std::int64_t at_ms, std::string_view key) {
  const std::uint64_t ordered = static_cast<std::uint64_t>(at_ms) ^ (std::uint64_t{1} << 63);
  std::string out = timer_prefix(resolver);
  append_be(out, ordered);
  return out.append(key);
}

inline std::string parked_key(std::uint64_t number) {
  std::string key;
  append_be(key, number);
  return key;
}
inline std::uint64_t parked_number(std::string_view parked_key) {
  std::uint64_t number = 0;
  for (const char byte : parked_key) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}
inline std::string parked_record_key(std::uint64_t number, std::uint64_t sequence) {
  std::string key = parked_key(number);
  append_be(key, sequence);
  return key;
}

}  // namespace names
}  // namespace weir::host
