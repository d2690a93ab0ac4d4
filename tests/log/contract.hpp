#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "log/log.hpp"

namespace weir::test {

/// An implementation of the port, for its contract.
///
/// Nothing here assumes that offsets are dense, that what was written can be seen at once, or that
/// the log was empty before.
class LogFactory {
 public:
  virtual ~LogFactory() = default;

  /// A further handle on the same log, as another process would have.
  virtual std::unique_ptr<host::Log> open() = 0;

  /// Makes the next publish() end in Errc::unavailable, having happened or not. False: this
  /// implementation cannot be made to.
  virtual bool fail_next_publish(bool happened) {
    static_cast<void>(happened);
    return false;
  }

  /// A topic of these names exists nowhere else.
  std::string unique(const std::string& name);

  /// How long something may take to become visible before that is a failure.
  std::chrono::milliseconds patience{10'000};

 private:
  std::string suffix_;
  int count_ = 0;
};

/// The time of the contract's records: 2023-11-14. A broker refuses times in the future, and
/// deletes by age, so its factory must make topics that keep everything.
inline constexpr std::int64_t noon_ms = 1'700'000'000'000;

/// The port's contract; one test case calls one of them or all.
void run_log_contract(LogFactory& factory);
void check_topics(LogFactory& factory);
void check_reading(LogFactory& factory);
void check_positions(LogFactory& factory);
void check_appending(LogFactory& factory);
void check_publishing(LogFactory& factory);
void check_fencing(LogFactory& factory);
void check_waiting(LogFactory& factory);
void check_health(LogFactory& factory);

/// A record that owns what it holds.
struct OwnedRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::int64_t timestamp_ms = 0;
  std::int64_t offset = 0;
};
OwnedRecord owned(const host::Record& record);

/// Fails the test with the error's words.
[[noreturn]] void fail(const host::Error& error);
template <typename T>
T ok(host::Result<T> result) {
  if (!result) fail(result.error());
  return *std::move(result);
}
inline void ok(const host::Result<void>& result) {
  if (!result) fail(result.error());
}

/// Appends values as records without a key to one partition; returns their offsets.
std::vector<std::int64_t> append_values(host::Log& log, const host::TopicPartition& partition,
                                        const std::vector<std::string>& values);

/// Everything that `reader` finds up to the end of its partition, as it is when this is called.
std::vector<OwnedRecord> read_to_end(host::Log& log, const host::TopicPartition& partition,
                                     host::FetchLimit limit = {});

/// The same, but waits until there are `count` records.
std::vector<OwnedRecord> read_records(LogFactory& factory, host::Log& log,
                                      const host::TopicPartition& partition, std::size_t count);
std::vector<std::string> values_of(const std::vector<OwnedRecord>& records);

}  // namespace weir::test
