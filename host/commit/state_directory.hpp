#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace weir::host {

/// An app's state directory, held by one host at a time.
///
///   <state>/weir.lock        flock; app, pid and host name as text
///   <state>/app              the app's name and the format, written once
///   <state>/reset            the command of a `weir reset` that has not come to its end
///   <state>/identity         16 hex digits, drawn once; tells it from other state directories
///   <state>/workers          how many workers the last host had, if not always one
///   <state>/tasks/<task>/    one LMDB environment each
///   <state>/log/             the embedded log, unless the app says otherwise
///   <state>/retries/         dead letters that were sent back, an embedded log
///   <state>/plugins/         private copies of plugin files
///   <state>/crashes/         a report of each crash
///   <state>/journal          what is in flight in a host without a supervisor
///   <state>/admin.address    where the running host answers; its socket, unless the app says else
class StateDirectory {
 public:
  /// Makes the directory if missing and takes its lock.
  /// Errc::refused: it belongs to another app (named), a host has it open (pid named), it is on a
  /// network file system (LMDB is not safe there). `warnings` gets what is allowed but unwise (an
  /// overlay file system). Others are told to stop the process `named`; 0: this one. Waits for a
  /// host that is about to end because the process that it named has ended.
  static Result<std::unique_ptr<StateDirectory>> lock(const std::filesystem::path& path,
                                                      const std::string& app,
                                                      std::vector<std::string>& warnings,
                                                      pid_t named = 0);
  ~StateDirectory();

  /// Who has the directory open, as "app shop (pid 12 on alpha)". Absent: nobody has.
  static std::optional<std::string> holder(const std::filesystem::path& path);

  /// Between the two, durably, a reset by `command` has not come to its end: some tasks may stand
  /// where it puts them and some not, so no host may go on.
  Result<void> begin_reset(const std::string& command);
  Result<void> end_reset();
  /// The command of a reset that has not come to its end. Absent: there is none.
  Result<std::optional<std::string>> unfinished_reset() const;

  const std::filesystem::path& path() const;
  const std::string& identity() const { return identity_; }
  /// How many workers hosts on it have had, as far as their producers may have left something open
  /// in the log. Errc::io.
  std::uint32_t workers() const;
  Result<void> set_workers(std::uint32_t count);
  std::filesystem::path task_directory(std::string_view task) const;
  /// Where the directories of the tasks of a state directory are, whoever holds it.
  static std::filesystem::path tasks_in(const std::filesystem::path& path) {
    return path / "tasks";
  }

 private:
  StateDirectory(std::filesystem::path path, int lock_fd);
  Result<void> read_identity();
  std::filesystem::path path_;
  std::string identity_;
  int lock_fd_;
};

}  // namespace weir::host
