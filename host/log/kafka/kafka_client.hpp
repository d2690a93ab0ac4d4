#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/logger.hpp"
#include "log/kafka/kafka_figures.hpp"
#include "log/kafka/kafka_handles.hpp"
#include "log/kafka/kafka_log.hpp"
#include "log/kafka/kafka_properties.hpp"

namespace weir::host {

/// Tells threads that wait for records that there may be some. [any]
class KafkaSignal {
 public:
  void notify();

  /// Returns when notify() was called since this thread's last wait(), or after `timeout`.
  void wait(std::chrono::milliseconds timeout);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t change_count_ = 1;                 // guarded by mutex_
  std::map<std::thread::id, std::uint64_t> seen_;  // guarded by mutex_
};

/// What keeps the log from working at the moment, in words. [any]
class KafkaHealth {
 public:
  void bad(std::string text, rd_kafka_resp_err_t cause = RD_KAFKA_RESP_ERR_NO_ERROR);
  void good() {
    if (is_bad_.load(std::memory_order_relaxed)) clear();
  }
  std::optional<std::string> trouble() const;
  /// How often something went wrong so far.
  std::uint64_t trouble_count() const { return trouble_count_.load(std::memory_order_relaxed); }
  /// librdkafka's own word for the trouble, where it is librdkafka that has it.
  rd_kafka_resp_err_t cause() const;
  /// Nothing has worked since no broker could be reached.
  bool is_unreachable() const { return is_unreachable_.load(std::memory_order_relaxed); }
  void unreachable() { is_unreachable_.store(true, std::memory_order_relaxed); }

 private:
  void clear();

  std::atomic<bool> is_bad_{false};
  std::atomic<bool> is_unreachable_{false};
  std::atomic<std::uint64_t> trouble_count_{0};
  mutable std::mutex mutex_;
  std::string text_;                                        // guarded by mutex_
  rd_kafka_resp_err_t cause_ = RD_KAFKA_RESP_ERR_NO_ERROR;  // guarded by mutex_
};

/// Serves what nobody serves while it has nothing to do. [any]
class KafkaUpkeep {
 public:
  /// `serve` is called about once a second by the thread of the group's member, until remove()
  /// returns. It must not block, nor add or remove.
  void add(const void* owner, std::function<void()> serve);
  void remove(const void* owner);
  void run();

 private:
  std::mutex mutex_;
  std::map<const void*, std::function<void()>> served_;  // guarded by mutex_
};

/// What all clients of one log share; lives as long as the last of them.
struct KafkaContext {
  KafkaOptions options;
  KafkaSignal signal;
  KafkaHealth health;
  KafkaFigures figures;
  KafkaUpkeep upkeep;
};

struct KafkaCallbacks {
  std::function<void(rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t* partitions)>
      rebalanced;
  std::function<void(const rd_kafka_message_t& message)> delivered;
  /// Keeps figures of the client. Somebody has to poll it about once a second: what nobody takes
  /// piles up in its queue.
  bool has_figures = false;
};

/// One rd_kafka_t. Its callbacks run in the threads that poll it.
class KafkaClient {
 public:
  using Callbacks = KafkaCallbacks;

  /// Errc::config: librdkafka does not take the properties together.
  static Result<std::unique_ptr<KafkaClient>> open(std::shared_ptr<KafkaContext> context,
                                                   KafkaRole role, const KafkaProperties& fixed,
                                                   Callbacks callbacks = {});
  KafkaClient(const KafkaClient&) = delete;
  KafkaClient& operator=(const KafkaClient&) = delete;

  rd_kafka_t* handle() const { return handle_.get(); }
  KafkaContext& context() const { return *context_; }
  const std::shared_ptr<KafkaContext>& shared_context() const { return context_; }

  /// Why nothing works with this client any more; absent: it works. [any]
  std::optional<Error> fatal() const;

 private:
  KafkaClient(std::shared_ptr<KafkaContext> context, Callbacks callbacks);

  std::shared_ptr<KafkaContext> context_;
  Callbacks callbacks_;
  std::unique_ptr<KafkaFigures::Source> figures_;  // null: it keeps none
  KafkaHandle handle_;
};

/// `milliseconds` as librdkafka takes them.
inline int to_int(std::chrono::milliseconds time) { return static_cast<int>(time.count()); }

}  // namespace weir::host
