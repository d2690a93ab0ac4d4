#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "decode/decoder.hpp"
#include "log/log.hpp"
#include "resolve/plugin.hpp"

namespace weir::host::bench {

/// One thing that is measured: what comes in, what a resolver makes of it, how often it commits.
struct Case {
  enum class Work { count, unique_ips };
  Work work = Work::count;
  Format::Kind format = Format::Kind::json;
  bool features = false;  ///< one for each record, to a topic
  std::int64_t commit_ms = 100;

  std::string name() const;
  std::string topic() const;     ///< filled by fill()
  std::string plugin() const;    ///< in WEIR_PLUGIN_DIR
  std::string resolver() const;  ///< in the plugin
  std::string message() const;   ///< full name of its message type
};

struct KeyValue {
  std::string key;
  std::string value;
};

/// A record of the case for one of its users; `noise` decides the rest.
KeyValue make_record(const Case& one, std::uint64_t user, std::uint64_t noise);

/// What all runs share.
struct Setting {
  std::filesystem::path directory;  ///< the log, and a State directory for each run
  std::uint64_t record_count = 2'000'000;
  std::uint64_t key_count = 100'000;
  std::uint64_t seed = 1;
  /// Not 0: every commit has so many records, so that a busy machine does not change their number.
  std::uint64_t commit_records = 0;
};

/// A bench has nobody to hand an error to.
[[noreturn]] void fail(const Error& error);
template <typename T>
T or_fail(Result<T> result) {
  if (!result) fail(result.error());
  return *std::move(result);
}
void or_fail(const Result<void>& result);

std::unique_ptr<Log> open_log(const Setting& setting);

/// Makes sure that `topic` of the case holds the records: uniformly random keys. Returns the mean
/// size of a value in bytes.
double fill(const Setting& setting, const Case& one);

/// The plugin's file, for its descriptors and for loading.
std::filesystem::path plugin_path(const Case& one);

}  // namespace weir::host::bench
