#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace weir::host {

/// Notices when one of some files has become another one, as a whole: it was written and closed, or
/// renamed into its place, and nothing more has happened for a moment. One thread.
class PluginWatch {
 public:
  /// Errc::io: the system has no more watches.
  static Result<PluginWatch> open(const std::vector<std::filesystem::path>& files);
  ~PluginWatch();
  PluginWatch(PluginWatch&& other) noexcept;
  PluginWatch& operator=(PluginWatch&&) = delete;

  /// Once for each time. Waits for nothing; `now_ms` is on Clock::steady_ms().
  bool has_changed(std::int64_t now_ms);

 private:
  struct Directory {
    int watch = -1;  // not there now
    std::set<std::string> files;
  };
  explicit PluginWatch(int fd) : fd_(fd) {}
  Result<void> look(const std::filesystem::path& path, Directory& directory) const;
  bool read_events();
  bool look_again(std::int64_t now_ms);

  int fd_;
  std::map<std::filesystem::path, Directory> directories_;
  std::int64_t last_event_ms_ = -1;  // -1: none since the last answer
  std::int64_t last_look_ms_ = 0;
};

}  // namespace weir::host
