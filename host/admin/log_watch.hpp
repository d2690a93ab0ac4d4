#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "admin/host_view.hpp"
#include "base/clock.hpp"
#include "log/log.hpp"

namespace weir::host {

/// What takes time to find out: the ends of the partitions, how the log is, the size of the stores.
struct LogReport {
  std::int64_t taken_ms = 0;  ///< on Clock::steady_ms()
  LogHealth health;
  std::string error;                            ///< what offsets() said; empty: it answered
  std::map<TopicPartition, std::int64_t> ends;  ///< of the partitions that were answered for
  std::vector<TaskStore::Usage> stores;         ///< in the order of HostView::tasks()
};

/// Asks the log and the stores once a second, on a thread of its own, so that neither a task nor a
/// request waits for them. Where one round takes long it asks less often, up to every five seconds.
class LogWatch {
 public:
  LogWatch(Log& log, HostView& host, Clock& clock);
  ~LogWatch();
  LogWatch(const LogWatch&) = delete;
  LogWatch& operator=(const LogWatch&) = delete;

  void start();

  /// The newest report; null: there is none yet. [any]
  std::shared_ptr<const LogReport> report() const;

  /// One round, in place of the thread: for tests.
  void look();

 private:
  void run();

  Log& log_;
  HostView& host_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;                    // guarded by mutex_
  std::shared_ptr<const LogReport> report_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace weir::host
