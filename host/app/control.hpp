#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "admin/server.hpp"
#include "base/logger.hpp"
#include "base/result.hpp"
#include "reload/reload_app.hpp"
#include "reload/reloader.hpp"

namespace weir::host {

/// The socket through which a running host is changed, <state>/control.sock, and the thread on
/// which that is done: one request at a time, in the order in which they come. Only the host's own
/// user and root are answered.
class Control {
 public:
  using FindTasks = std::function<std::vector<ReloadApp::RunningTask>()>;
  /// `reloader`, what `tasks` finds and `logger` outlive it; nobody else uses the reloader
  /// meanwhile.
  static Result<std::unique_ptr<Control>> start(Reloader& reloader, FindTasks tasks,
                                                const std::filesystem::path& state, Logger& logger);
  /// What is under way gives up.
  ~Control();

  /// Reloads every plugin whose file is another one than the build that runs; the log says what
  /// came of it. [any]
  void reload_changed();

 private:
  Control(Reloader& reloader, FindTasks tasks) : reloader_(reloader), tasks_(std::move(tasks)) {}
  HttpAnswer answer(std::string_view path, std::string_view body);
  HttpAnswer reload(std::string_view body);
  HttpAnswer migrate(std::string_view body);
  HttpAnswer parked(std::string_view body);
  void post(std::function<void()> job);
  void run();

  Reloader& reloader_;
  FindTasks tasks_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> jobs_;  // guarded by mutex_
  bool ending_ = false;                     // guarded by mutex_
  std::thread thread_;
  std::unique_ptr<Server> server_;
};

/// Where a host on this state directory is changed.
ListenAddress control_address(const std::filesystem::path& state);

}  // namespace weir::host
