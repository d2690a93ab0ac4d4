#include "support/temp_dir.hpp"

#include <cstdlib>
#include <stdexcept>

namespace weir::test {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "weir-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace weir::test
