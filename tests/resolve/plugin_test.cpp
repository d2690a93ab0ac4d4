#include "resolve/plugin.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <sys/stat.h>

#include "resolve/call.hpp"
#include "resolve/plugin_copy.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(directory)) out.push_back(entry.path());
  return out;
}

/// One record through prepare() and resolve() with a State of its own.
std::string count_once(const Plugin& plugin) {
  const weir_resolver& slots = *plugin.resolver("count");
  Arena arena;
  Call call;
  call.begin(&arena);
  weir_instance* instance = nullptr;
  REQUIRE(slots.create(plugin.host(), to_abi(""), &instance, &call.abi) == WEIR_OK);
  call.begin(&arena);
  weir_state* state = nullptr;
  REQUIRE(slots.state_load(instance, absent_bytes, 1, &state, &call.abi) == WEIR_OK);
  call.begin(&arena);
  call.output_count = 1;
  REQUIRE(slots.resolve(instance, nullptr, state, &call.abi) == WEIR_OK);
  REQUIRE(call.features.size() == 1);
  const std::string feature(call.features[0].bytes);
  slots.state_free(instance, state);
  slots.destroy(instance);
  return feature;
}

}  // namespace

TEST_CASE("plugin file: what a good file says of itself is read without running it") {
  const auto file = read_plugin_file(WEIR_TEST_PLUGIN);

  REQUIRE(file);
  CHECK(file->manifest.plugin == "zoo");
  CHECK(file->manifest.resolvers[0].state_type == "zoo.Count");
  CHECK(file->sha256.size() == 64);
  CHECK(file->build_id.size() == 40);
  CHECK(file->size_bytes == fs::file_size(WEIR_TEST_PLUGIN));
  CHECK(file->schemas.find("zoo.proto") != std::string::npos);
  CHECK(file->warnings.empty());
}

TEST_CASE("plugin file: the hash is that of sha256sum") {
  const weir::test::TempDir directory;
  const auto output = directory / "sum";
  const std::string command =
      "sha256sum < '" + std::string(WEIR_TEST_PLUGIN) + "' > '" + output.string() + "'";
  REQUIRE(std::system(command.c_str()) == 0);
  std::string expected;
  std::ifstream(output) >> expected;

  const auto file = read_plugin_file(WEIR_TEST_PLUGIN);
  REQUIRE(file);
  CHECK(file->sha256 == expected);
}

TEST_CASE("plugin file: what is not a file is refused at once") {
  const weir::test::TempDir directory;
  const auto missing = read_plugin_file(directory / "missing.so");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Errc::not_found);

  const auto folder = read_plugin_file(directory.path());
  REQUIRE_FALSE(folder);
  CHECK(folder.error().code == Errc::refused);

  REQUIRE(mkfifo((directory / "fifo.so").c_str(), 0600) == 0);
  const auto fifo = read_plugin_file(directory / "fifo.so");
  REQUIRE_FALSE(fifo);
  CHECK(fifo.error().code == Errc::refused);
}

TEST_CASE("plugin: it loads from a private copy and leaves nothing behind") {
  const weir::test::TempDir directory;
  const fs::path copies = directory / "copies";
  fs::path copy;
  {
    const auto plugin = Plugin::load(WEIR_TEST_PLUGIN, copies);
    REQUIRE(plugin);
    copy = (*plugin)->copy_path();
    CHECK(copy.parent_path() == fs::canonical(copies));
    CHECK(copy.filename() == "zoo-" + (*plugin)->file().sha256.substr(0, 12) + "-1.so");
    CHECK((fs::status(copy).permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_exec));
    CHECK((fs::status(copies).permissions() & fs::perms::all) == fs::perms::owner_all);
    CHECK(is_mapped(copy));
    CHECK((*plugin)->resolver("count") != nullptr);
    CHECK((*plugin)->resolver("other") == nullptr);
    CHECK(count_once(**plugin) == "\x08\x01");
    const auto* message = (*plugin)->message("zoo.Count");
    REQUIRE(message != nullptr);
    CHECK(message->field(0)->name() == "records");
    CHECK((*plugin)->message("zoo.Nothing") == nullptr);
  }
  CHECK_FALSE(is_mapped(copy));
  CHECK(files_in(copies).empty());
}

TEST_CASE("plugin: the file may be overwritten in place while it is loaded") {
  const weir::test::TempDir directory;
  const fs::path file = directory / "live.so";
  fs::copy_file(WEIR_TEST_PLUGIN, file);
  const auto plugin = Plugin::load(file, directory / "copies");
  REQUIRE(plugin);

  std::ofstream(file, std::ios::trunc) << "something else";

  CHECK(count_once(**plugin) == "\x08\x01");
}

TEST_CASE("plugin: two loads of one file are two libraries") {
  const weir::test::TempDir directory;
  const auto first = Plugin::load(WEIR_TEST_PLUGIN, directory / "copies");
  const auto second = Plugin::load(WEIR_TEST_PLUGIN, directory / "copies");

  REQUIRE(first);
  REQUIRE(second);
  CHECK((*first)->copy_path() != (*second)->copy_path());
  CHECK((*first)->resolver("count") != (*second)->resolver("count"));
}

TEST_CASE("plugin: a symbolic link is followed") {
  const weir::test::TempDir directory;
  fs::create_symlink(WEIR_TEST_PLUGIN, directory / "current.so");

  CHECK(Plugin::load(directory / "current.so", directory / "copies"));
}

TEST_CASE("plugin: a directory that others may write to is refused") {
  const weir::test::TempDir directory;
  const fs::path copies = directory / "copies";
  fs::create_directory(copies);
  fs::permissions(copies, fs::perms::all);
  const auto plugin = Plugin::load(WEIR_TEST_PLUGIN, copies);

  REQUIRE_FALSE(plugin);
  CHECK(plugin.error().code == Errc::refused);
  CHECK(plugin.error().message.find("mode 0777") != std::string::npos);
}

TEST_CASE("plugin copy: what a crashed process left behind goes and what is in use stays") {
  const weir::test::TempDir directory;
  const fs::path left = directory / "old-0123456789ab-7.so";
  const fs::path other = directory / "notes.so";
  std::ofstream(left) << "left behind";
  std::ofstream(other) << "not ours";
  const auto first = PluginCopy::make(directory.path(), "zoo", std::string(64, 'a'), "bytes");
  const auto second = PluginCopy::make(directory.path(), "zoo", std::string(64, 'a'), "bytes");

  REQUIRE(first);
  REQUIRE(second);
  CHECK_FALSE(fs::exists(left));
  CHECK(fs::exists(other));
  CHECK(fs::exists(first->path()));
  CHECK(second->path().filename() == "zoo-aaaaaaaaaaaa-2.so");
}

}  // namespace weir::host
