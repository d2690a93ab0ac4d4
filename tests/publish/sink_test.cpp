#include "publish/sink.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "support/temp_dir.hpp"

namespace weir::host {

namespace {
std::string content(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}
}  // namespace

TEST_CASE("file sink: restore cuts what came after the position and appends go on there") {
  const test::TempDir directory;
  const auto path = directory / "features.jsonl";
  std::int64_t acknowledged = 0;
  {
    auto sink = open_file_sink(path);
    REQUIRE(sink.has_value());
    REQUIRE((*sink)->append("one\ntwo\n").has_value());
    acknowledged = (*sink)->position();
    REQUIRE((*sink)->append("three\n").has_value());
  }
  auto sink = open_file_sink(path);
  REQUIRE((*sink)->restore(acknowledged).has_value());
  REQUIRE((*sink)->append("three again\n").has_value());

  CHECK(content(path) == "one\ntwo\nthree again\n");
}

TEST_CASE("file sink: a directory that is missing is named") {
  const test::TempDir directory;
  const auto sink = open_file_sink(directory / "missing/features.jsonl");
  REQUIRE_FALSE(sink.has_value());
  CHECK(sink.error().message.ends_with("/missing; make it first"));
}

TEST_CASE("file sink: a file that is shorter than what was written is refused with both sizes") {
  const test::TempDir directory;
  auto sink = open_file_sink(directory / "features.jsonl");
  REQUIRE((*sink)->append("one\n").has_value());

  const auto restored = (*sink)->restore(100);
  REQUIRE_FALSE(restored.has_value());
  CHECK(restored.error().code == Errc::refused);
  CHECK(restored.error().message.find("has 4 B, but 100 B were written") != std::string::npos);
}

TEST_CASE("file sink: a path that cannot be opened is an error that names it") {
  const auto sink = open_file_sink("/nowhere/at/all");
  REQUIRE_FALSE(sink.has_value());
  CHECK(sink.error().message.find("/nowhere/at/all") != std::string::npos);
}

}  // namespace weir::host
