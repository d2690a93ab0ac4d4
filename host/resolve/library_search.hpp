#pragma once

#include <string>
#include <string_view>

namespace weir::host {

/// Where the dynamic linker would look for a library, asked without loading anything: good enough
/// for a warning, as dlopen() has the last word.
class LibrarySearch {
 public:
  /// `run_path`: DT_RUNPATH of the file that needs the library.
  explicit LibrarySearch(std::string_view run_path);

  /// `library`: as in DT_NEEDED.
  bool finds(std::string_view library) const;

 private:
  std::string cache_;        ///< of ldconfig
  std::string directories_;  ///< parted by colons
};

}  // namespace weir::host
