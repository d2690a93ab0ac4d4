#pragma once

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The host in a test: the real loading, decoding, resolving and committing, on a log in memory and
/// a State directory of its own, without threads. The same input gives byte for byte the same
/// States and features as `weir run`.
///
///   weir::TestDriver host("unique_ips");
///   host.pipe("visits", R"({"userId": "ana", "ip": "a"})");
///   CHECK(host.features<UniqueIps>().back().unique_ips() == 1);
///
/// Misuse, and whatever makes the host halt, is a weir::TestDriverError that says why.
namespace weir {

class TestDriverError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What surrounds a value that is piped in. Everything has a default.
struct Envelope {
  std::optional<std::string> key;
  /// Absent: the driver's clock. It is also the event time, unless the resolver extracts one.
  std::optional<std::int64_t> timestamp_ms;
  std::vector<std::pair<std::string, std::string>> headers;
  /// Absent: the partition of the key (murmur2); without a key, 0.
  std::optional<std::int32_t> partition;
};

/// One feature as its sink gets it.
struct EmittedRecord {
  std::string sink;
  std::optional<std::string> key;
  std::string value;  ///< in the sink's format
  std::int64_t timestamp_ms = 0;
};

struct DeadLetterRecord {
  std::string error;   ///< late, undecodable, null_value, rejected, key or misplaced
  std::string reason;  ///< in words
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::map<std::string, std::string> headers;  ///< the record's own, and weir.*
};

/// One thread. Everything it makes is gone with it.
class __attribute__((visibility("default"))) TestDriver {
 public:
  /// The plugin `name`.so and the app to run it in. In tests of weir_add_plugin_test() both are
  /// found; elsewhere the environment variables WEIR_PLUGIN_DIR and WEIR_APP name the directory and
  /// the YAML file. Of the app's YAML its log, its state directory, the places of its plugins and
  /// its file and stdout sinks are replaced. Without a YAML file: one source `input` that takes
  /// JSON, read by every resolver of the plugin, whose outputs go to sinks of their resolver's
  /// name.
  explicit TestDriver(std::string_view plugin);

  /// The same with the YAML as text.
  TestDriver(std::string_view plugin, std::string_view app_yaml);

  ~TestDriver();
  TestDriver(const TestDriver&) = delete;
  TestDriver& operator=(const TestDriver&) = delete;

  /// Appends a record with this value to the source's topic, and handles it before it returns (it
  /// is not committed yet).
  void pipe(std::string_view source, std::string_view value, const Envelope& envelope = {});

  /// A message, in the source's format (json or protobuf).
  void pipe(std::string_view source, const google::protobuf::MessageLite& message,
            const Envelope& envelope = {});

  /// A record without a value.
  void pipe_null(std::string_view source, const Envelope& envelope = {});

  /// Moves the clocks; what became due in between happens, each thing at its time: timers fire
  /// (with `arrival: record` the next record's timestamp fires them instead), retries come again.
  void advance(std::chrono::milliseconds time);

  /// What a commit of `weir run` does: States and offsets become durable, features go out.
  void commit();

  /// The process dies: everything since the last commit is gone. Until recover(), only State,
  /// features and dead letters can be looked at.
  void crash();

  /// The next start: goes on where the last commit left off, so that what the crash undid comes
  /// again.
  void recover();

  /// What `weir reload` does: a commit, and from the next record on another build of the plugin, in
  /// the file `plugin`.so beside the driver's own. It is not tried in another process before, and
  /// stays in probation: a crash() ends with the build that was there before it.
  void reload(std::string_view plugin);

  /// Back to the build before the newest reload(). `plugin` is its name in the manifest; needed
  /// where the app has several.
  void rollback(std::string_view plugin = {});

  /// The newest `count` records of the source's topic come a second time, as from a producer that
  /// repeats itself. Their keys, headers and timestamps are the same, their offsets are new.
  void redeliver(std::string_view source, int count = 1);

  /// Every feature of type F so far, in order: of committed calls and of those since. What a crash
  /// undid is not among them.
  template <class F>
  std::vector<F> features() const {
    std::vector<F> parsed;
    for (const std::string& bytes : feature_bytes(F::default_instance().GetTypeName())) {
      if (!parsed.emplace_back().ParseFromString(bytes)) {
        throw TestDriverError("a feature is not a " + F::default_instance().GetTypeName());
      }
    }
    return parsed;
  }

  /// The same as the sinks get them, whatever their type.
  std::vector<EmittedRecord> emitted() const;

  /// The State of a key: as the last successful call left it, committed or not. The default message
  /// where there is none; has_state() tells the difference. `resolver` may be left out where the
  /// app has one with this State.
  template <class S>
  S state(std::string_view key, std::string_view resolver = {}) const {
    S state;
    if (!state.ParseFromString(state_bytes(key, resolver))) {
      throw TestDriverError("the State of the key is not a " + state.GetTypeName());
    }
    return state;
  }
  bool has_state(std::string_view key, std::string_view resolver = {}) const;
  /// As `weir state get` prints it.
  std::string state_json(std::string_view key, std::string_view resolver = {}) const;
  /// As the store keeps it; empty where there is none.
  std::string state_bytes(std::string_view key, std::string_view resolver = {}) const;

  std::vector<DeadLetterRecord> dead_letters() const;

  /// Outcomes since the start, per (record, resolver): `records` (those alone per record),
  /// `resolved`, `skipped`, `late`, `undecodable`, `null_value`, `rejected`, `key`, `misplaced`,
  /// `retries`; and `fired`, timers whose handler succeeded. Counts of a crashed run are kept.
  std::uint64_t count(std::string_view outcome) const;

  /// Records that wait now, per (record, resolver): of keys whose resolver has answered retry, and
  /// behind those. advance() lets their next try come.
  std::uint64_t waiting() const;

  /// Set when a task has halted by a policy or a resolver's word: why.
  std::optional<std::string> halted() const;

 private:
  std::vector<std::string> feature_bytes(const std::string& type) const;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
