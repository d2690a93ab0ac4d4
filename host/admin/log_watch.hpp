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
  std::int64_t taken_ms = 0;  ///< on Clock::steady_ms(); of all but the health, which is newer
  LogHealth health;
  std::string error;                            ///< what offsets() said; empty: it answered
  std::map<TopicPartition, std::int64_t> ends;  ///< of the partitions that were answered for
  std::vector<TaskStore::Usage> stores;         ///< in the order of HostView::tasks()
};

/// Asks the log and the stores once a second, on threads of its own, so that neither a task nor a
/// request waits for them: one asks for the ends, which may take as long as the log has patience,
/// the other how the log is. Where one round of the first takes long it asks less often, up to
/// every five seconds.
class LogWatch {
 public:
  LogWatch(Log& log, HostView& host, Clock& clock);
  ~LogWatch();
  LogWatch(const LogWatch&) = delete;
  LogWatch& operator=(const LogWatch&) = delete;

  void start();

  /// The newest report; null: there is none yet. [any]
  std::shared_ptr<const LogReport> report() const;

  /// One round of each, in place of the threads: for tests.
  void look();

 private:
  void run();
  void run_health();
  void look_at_health();

  Log& log_;
  HostView& host_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;                    // guarded by mutex_
  std::shared_ptr<const LogReport> report_;  // guarded by mutex_
  std::thread thread_;
  std::thread health_thread_;
};

}  // namespace weir::host
