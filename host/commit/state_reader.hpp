#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "commit/catalog.hpp"
#include "commit/task_store.hpp"
#include "weir/v1/task.pb.h"

namespace weir::host {

/// Reads the States of all tasks below a state directory, while a host runs on it or not, without
/// any plugin: JSON comes from the descriptors stored beside the States. Short read transactions,
/// so that a slow consumer never makes the file grow: what list() visits is consistent page by page
/// (256 States), not as a whole. Cannot read a task that this process itself has open. One thread.
///
/// A reader writes its slot into a task's lock.mdb. Where it may not, it reads without one, which
/// is safe only while no host runs; with one running, that is Errc::refused.
class StateReader {
 public:
  struct ResolverInfo {
    std::string task;
    std::string name;
    v1::ResolverEntry entry;
    std::uint64_t state_count = 0;
  };
  struct Entry {
    std::string task;
    std::string resolver;
    std::string key;
    std::string bytes;
    std::string type;
    std::uint32_t state_version = 0;
    std::uint32_t schema = 0;              ///< of the task; what to_json() reads the bytes with
    std::optional<std::int64_t> timer_ms;  ///< what the key's timer is set to; absent: none
  };

  struct Parked {
    std::string task;
    std::uint64_t number = 0;  ///< among the keys of the task
    v1::ParkedKey key;
  };

  /// Errc::not_found: no state directory, or no State in it yet.
  static Result<std::unique_ptr<StateReader>> open(const std::filesystem::path& state_directory);
  ~StateReader();

  const std::string& app() const;
  Result<std::vector<ResolverInfo>> resolvers();
  /// What each task knows of resolvers and State types, by task.
  Result<std::map<std::string, Catalog>> catalogs();

  /// Every State of `key` (empty `resolver`: of all resolvers), in all tasks.
  /// Errc::not_found: no task knows `resolver`. No State for the key is not an error.
  Result<std::vector<Entry>> get(std::string_view resolver, std::string_view key);

  /// Calls `visit` for every State whose key starts with `prefix`, by task, resolver and key, until
  /// it returns false. No transaction is open meanwhile: `visit` may take its time, and may call
  /// to_json().
  Result<void> list(std::string_view resolver, std::string_view prefix,
                    const std::function<bool(const Entry&)>& visit);

  /// Every key that waits, by task and by when it began to. Each page of 256 is consistent.
  Result<std::vector<Parked>> parked();

  /// The records of a key that waits, from `sequence` on: at least one. Absent: it does not wait
  /// any more, or its first record is another one now.
  Result<std::optional<std::vector<v1::ParkedRecord>>> parked_records(const Parked& key,
                                                                      std::uint64_t sequence,
                                                                      ParkedLimit limit);

  /// One line of proto3 JSON through the descriptors the State was written with: lowerCamelCase
  /// names, enums by name, 64-bit integers as strings, bytes in base64, map entries sorted by key,
  /// fields at their default left out.
  Result<std::string> to_json(const Entry& entry);

 private:
  struct Impl;
  explicit StateReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
