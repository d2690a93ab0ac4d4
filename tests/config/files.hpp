#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace weir::test {

/// The folder of this test's files.
inline std::filesystem::path config_files() { return WEIR_CONFIG_TEST_DIRECTORY; }

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// Whether golden files are to be rewritten instead of compared.
inline bool update_golden() { return std::getenv("WEIR_UPDATE") != nullptr; }

}  // namespace weir::test
