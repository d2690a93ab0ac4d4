#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::host {

/// What a worker process tells its supervisor while it lives, in memory that both have mapped: so
/// it outlives the worker, however that ends. One writer at a time: the worker, or between two of
/// them the supervisor.
class WorkerPage {
 public:
  enum class Stage : std::uint32_t {
    starting,   ///< nothing has been handled yet
    running,    ///< its tasks turn
    finishing,  ///< all that was to be done is done
    ended,      ///< it ended by its own decision; the exit code says which
  };

  /// Memory that worker processes inherit as fd(). Errc::io.
  static Result<WorkerPage> make();
  /// In a worker: the memory behind an inherited descriptor. Errc::usage: it is none.
  static Result<WorkerPage> inherit(int fd);
  ~WorkerPage();
  WorkerPage(WorkerPage&& other) noexcept;
  WorkerPage& operator=(WorkerPage&&) = delete;

  int fd() const { return fd_; }

  /// Before a worker is started. Where it answers operators stays.
  void begin_worker();

  void set_stage(Stage stage);
  Stage stage() const;
  bool has_run() const;  ///< this worker was `running` once

  /// Once a commit. [any]
  void count_commit();
  std::uint64_t commits() const;

  /// Where the worker answers operators, for the time when no worker lives.
  struct Answers {
    std::string app;
    std::string state;   ///< the state directory
    std::string listen;  ///< as admin.listen is written; empty: nowhere
    bool allow_remote = false;
  };
  void set_answers(const Answers& answers);
  Answers answers() const;

 private:
  struct Shared;
  WorkerPage(int fd, Shared* shared) : fd_(fd), shared_(shared) {}
  static Result<WorkerPage> map(int fd);
  int fd_;
  Shared* shared_;
};

}  // namespace weir::host
