#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace weir::host {

enum class FileSystemFitness {
  fit,
  unwise,  ///< works, and the State is lost sooner than people expect
  unsafe,  ///< LMDB maps the file and locks in shared memory; neither is reliable there
};

struct FileSystemJudgement {
  FileSystemFitness fitness = FileSystemFitness::fit;
  std::string_view name;  ///< empty: a type we do not know, taken as fit
  std::string_view why;
};

/// Judges statfs(2)'s f_type; nothing else goes in.
FileSystemJudgement judge_file_system(std::uint64_t type);

/// f_type of the file system that `path`, or its nearest existing parent, is on.
Result<std::uint64_t> file_system_type(const std::filesystem::path& path);

}  // namespace weir::host
