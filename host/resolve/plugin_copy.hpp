#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace weir::host {

/// A plugin's private copy on disk: the loader maps this file, so nobody overwrites it under us.
///
/// Its name is unique among everything the process may still have mapped, because the dynamic
/// linker answers with an old library when a name is known. It is locked while it is in use; the
/// copies that a crashed process left behind are not, and go with the next copy that is made.
class PluginCopy {
 public:
  /// Writes `bytes` to `<directory>/<plugin>-<sha256, first 12>-<n>.so`, mode 0500. Makes
  /// `directory` (mode 0700) if it is missing. Errc::refused: others may write to it, or it is on a
  /// file system from which nothing may be run.
  static Result<PluginCopy> make(const std::filesystem::path& directory, std::string_view plugin,
                                 std::string_view sha256, std::string_view bytes);

  /// Deletes the file, unless keep().
  ~PluginCopy();
  PluginCopy(PluginCopy&& other) noexcept;
  PluginCopy& operator=(PluginCopy&&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// The file is still mapped: it stays, locked, as long as this process lives.
  void keep() { kept_ = true; }

 private:
  PluginCopy(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::filesystem::path path_;
  int fd_ = -1;  // holds the lock
  bool kept_ = false;
};

/// True while the dynamic linker has a library of this path mapped. A library whose last reference
/// was held by an ended thread is unmapped by asking.
bool is_mapped(const std::filesystem::path& library);

}  // namespace weir::host
