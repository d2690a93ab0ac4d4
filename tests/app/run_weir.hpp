#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace weir::test {

/// What a run of the real binary left behind.
struct Outcome {
  int code = -1;    ///< exit code; 128 + signal when one ended it
  std::string out;  ///< stdout
  std::string err;  ///< stderr
};

/// Runs `weir` with `arguments` in `directory`, feeds it `input`, and waits for its end.
Outcome run_weir(const std::vector<std::string>& arguments, const std::string& input = {},
                 const std::filesystem::path& directory = ".");

}  // namespace weir::test
