#include "commit/state_directory.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "commit/file_system.hpp"
#include "store_fixture.hpp"

namespace weir::host {

using test::bad;
using test::good;
using test::TempDir;

namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("state directory: the first host makes it and writes whose it is") {
  const TempDir dir;
  std::vector<std::string> warnings;

  const auto held = good(StateDirectory::lock(dir / "a/state", "shop", warnings));

  CHECK(content(dir / "a/state" / "app") == "weir-state 1\nshop\n");
  CHECK(content(dir / "a/state" / "weir.lock").starts_with("shop\n" + std::to_string(getpid())));
  CHECK(held->task_directory("visits-0") == dir / "a/state" / "tasks" / "visits-0");
}

TEST_CASE("state directory: it knows how many workers the last host had") {
  const TempDir dir;
  std::vector<std::string> warnings;
  {
    const auto held = good(StateDirectory::lock(dir / "state", "shop", warnings));
    CHECK(held->workers() == 1);
    good(held->set_workers(8));
  }
  const auto held = good(StateDirectory::lock(dir / "state", "shop", warnings));
  CHECK(held->workers() == 8);
  good(held->set_workers(2));
  CHECK(held->workers() == 2);
}

TEST_CASE("state directory: a second host is refused with the pid of the first") {
  const TempDir dir;
  std::vector<std::string> warnings;
  auto held = good(StateDirectory::lock(dir / "state", "shop", warnings));

  const Error refused = bad(StateDirectory::lock(dir / "state", "shop", warnings));

  CHECK(refused.code == Errc::refused);
  CHECK(refused.message.find("app shop (pid " + std::to_string(getpid())) != std::string::npos);
  held.reset();
  good(StateDirectory::lock(dir / "state", "shop", warnings));
}

TEST_CASE("state directory: the lock of a host that died is free") {
  const TempDir dir;
  std::vector<std::string> warnings;
  const pid_t child = fork();
  if (child == 0) {
    auto held = StateDirectory::lock(dir / "state", "shop", warnings);
    if (held) kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));

  good(StateDirectory::lock(dir / "state", "shop", warnings));
}

TEST_CASE("state directory: another app's is refused by name and stays as it was") {
  const TempDir dir;
  std::vector<std::string> warnings;
  good(StateDirectory::lock(dir / "state", "shop", warnings));

  const Error refused = bad(StateDirectory::lock(dir / "state", "bank", warnings));

  CHECK(refused.code == Errc::refused);
  CHECK(refused.message.find("belongs to app shop, not to bank") != std::string::npos);
  good(StateDirectory::lock(dir / "state", "shop", warnings));
}

TEST_CASE("state directory: a file app that is not ours is an error and not overwritten") {
  const TempDir dir;
  std::vector<std::string> warnings;
  for (const std::string text : {"", "weir-state 2\nshop\n", "weir-state 1\n", "weir-state 1\nshop",
                                 "\x7f"
                                 "ELF"}) {
    CAPTURE(text);
    std::filesystem::create_directories(dir / "state");
    std::ofstream(dir / "state" / "app") << text;

    CHECK(bad(StateDirectory::lock(dir / "state", "shop", warnings)).code == Errc::corrupt);
    CHECK(content(dir / "state" / "app") == text);
  }
}

TEST_CASE("state directory: tasks without an owner are refused") {
  const TempDir dir;
  std::vector<std::string> warnings;
  std::filesystem::create_directories(dir / "state" / "tasks" / "visits-0");

  const Error refused = bad(StateDirectory::lock(dir / "state", "shop", warnings));

  CHECK(refused.code == Errc::refused);
  CHECK(refused.message.find("no file `app`") != std::string::npos);
}

TEST_CASE("state directory: a log that was written before the first run does not hinder") {
  const TempDir dir;
  std::vector<std::string> warnings;
  std::filesystem::create_directories(dir / "state" / "log");

  good(StateDirectory::lock(dir / "state", "shop", warnings));
}

TEST_CASE("file systems: those of the network are unsafe") {
  for (const std::uint64_t type :
       {0x6969UL, 0x517BUL, 0xFE534D42UL, 0xFF534D42UL, 0x00C36400UL, 0x65735546UL, 0x01021997UL,
        0x0BD00BD0UL, 0x01161970UL, 0x7461636FUL, 0x5346414FUL, 0x6B414653UL, 0x73757245UL,
        0x564CUL, 0x47504653UL, 0x19830326UL, 0x786F4256UL}) {
    CAPTURE(type);
    const FileSystemJudgement judged = judge_file_system(type);
    CHECK(judged.fitness == FileSystemFitness::unsafe);
    CHECK_FALSE(judged.name.empty());
    CHECK_FALSE(judged.why.empty());
  }
  // How a signed 32-bit f_type arrives in 64 bits.
  CHECK(judge_file_system(0xFFFFFFFFFF534D42UL).name == "cifs");
}

TEST_CASE("file systems: layers and memory are unwise and local disks are fit") {
  CHECK(judge_file_system(0x794C7630).fitness == FileSystemFitness::unwise);
  CHECK(judge_file_system(0x794C7630).name == "overlay");
  CHECK(judge_file_system(0x01021994).fitness == FileSystemFitness::unwise);
  CHECK(judge_file_system(0x858458F6).fitness == FileSystemFitness::unwise);
  for (const std::uint64_t type : {0xEF53UL, 0x58465342UL, 0x9123683EUL, 0x2FC12FC1UL}) {
    CHECK(judge_file_system(type).fitness == FileSystemFitness::fit);
  }
  CHECK(judge_file_system(0x12345678).fitness == FileSystemFitness::fit);
  CHECK(judge_file_system(0x12345678).name.empty());
}

TEST_CASE("file systems: a path that does not exist yet is judged by its parent") {
  const TempDir dir;
  CHECK(good(file_system_type(dir / "a" / "b")) == good(file_system_type(dir.path())));
}

}  // namespace weir::host
