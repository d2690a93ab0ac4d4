// Every file in broken/ must be refused with exactly the words in the .expected file beside it.
// WEIR_UPDATE=1 rewrites those files: read the difference before committing it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "config/config.hpp"
#include "files.hpp"

namespace weir::host {
namespace {

using test::read_text;

std::vector<std::filesystem::path> broken_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(test::config_files() / "broken")) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

TEST_CASE("config: every broken file is refused in the expected words") {
  ::setenv("WEIR_TEST_NAME", "name", 1);
  ::unsetenv("WEIR_TEST_UNSET");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(test::config_files() / "broken");  // so that names stay short
  const std::vector<std::filesystem::path> files = broken_files();
  REQUIRE(files.size() >= 30);

  for (const std::filesystem::path& file : files) {
    CAPTURE(file.filename().string());
    const auto config = Config::load(file.filename());
    CHECK_FALSE(config.has_value());
    if (config) continue;
    CHECK(config.error().code == Errc::config);
    std::filesystem::path expected = file;
    expected.replace_extension(".expected");
    const std::string text = config.error().message + "\n";
    if (test::update_golden()) test::write_text(expected, text);
    CHECK(text == read_text(expected));
  }
  std::filesystem::current_path(before);
}

TEST_CASE("config: one run reports every error of a file") {
  const auto config = Config::load(test::config_files() / "broken" / "many.yaml");

  REQUIRE_FALSE(config.has_value());
  const std::string& text = config.error().message;
  std::size_t errors = 0;
  for (std::size_t at = text.find(": error: "); at != text.npos;
       at = text.find(": error: ", at + 1)) {
    ++errors;
  }
  CHECK(errors >= 15);
}

}  // namespace weir::host
