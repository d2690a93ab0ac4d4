#include "resolve/elf_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include <elf.h>
#include <google/protobuf/stubs/logging.h>
#include <weir/abi.h>

#include "resolve/plugin_bytes.hpp"
#include "resolve/plugin_lint.hpp"
#include "support/seed.hpp"

namespace weir::host {

namespace {

std::string good_bytes() {
  auto bytes = read_plugin_bytes(WEIR_TEST_PLUGIN);
  REQUIRE(bytes);
  return *std::move(bytes);
}

}  // namespace

TEST_CASE("elf file: the parts of a real shared library are found") {
  const std::string bytes = good_bytes();
  const auto file = ElfFile::parse(bytes);

  REQUIRE(file);
  CHECK(file->is_shared_library);
  CHECK_FALSE(file->is_nodelete);
  CHECK_FALSE(file->has_static_tls);
  CHECK_FALSE(file->has_text_relocations);
  CHECK(file->build_id.size() == 20);
  CHECK(std::ranges::count(file->needed, "libc.so.6") == 1);
  REQUIRE(file->section(WEIR_MANIFEST_SECTION) != nullptr);
  CHECK(file->section(WEIR_MANIFEST_SECTION)->bytes.starts_with("weir.manifest/1\n"));
  const auto entry = std::ranges::find(file->symbols, "weir_plugin", &ElfFile::Symbol::name);
  REQUIRE(entry != file->symbols.end());
  CHECK(entry->defined);
  CHECK(entry->visible);
  CHECK(entry->function);
}

TEST_CASE("elf file: the program itself is no shared library") {
  const auto bytes = read_plugin_bytes("/proc/self/exe");
  REQUIRE(bytes);
  const auto file = ElfFile::parse(*bytes);

  if (file) {
    CHECK_FALSE(file->is_shared_library);
  } else {
    CHECK(file.error().message.find("an executable") != std::string::npos);
  }
}

TEST_CASE("elf file: other kinds of files are told apart") {
  const std::string bytes = good_bytes();
  std::string other = bytes;

  CHECK(ElfFile::parse("").error().message.find("no ELF file") != std::string::npos);
  CHECK(ElfFile::parse("#!/bin/sh\n").error().message.find("found \"#!/b\"") != std::string::npos);
  other[EI_CLASS] = ELFCLASS32;
  CHECK(ElfFile::parse(other).error().message.find("64 bit") != std::string::npos);
  other = bytes;
  other[offsetof(Elf64_Ehdr, e_type)] = ET_REL;
  CHECK(ElfFile::parse(other).error().message.find("an object file") != std::string::npos);
  other = bytes;
  other[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_RISCV);
  CHECK(ElfFile::parse(other).error().message.find("built for riscv") != std::string::npos);
}

TEST_CASE("elf file: every truncation is refused") {
  const std::string bytes = good_bytes();
  for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 50) {
    CAPTURE(size);
    // A heap copy of its own size lets the address sanitizer see every step outside.
    const std::string cut = bytes.substr(0, size);
    CHECK_FALSE(ElfFile::parse(cut));
  }
}

TEST_CASE("elf file: no mutation makes the reader step outside of the file") {
  const std::uint64_t seed = test::seed();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const google::protobuf::LogSilencer quiet;
  const std::string bytes = good_bytes();
  int refused = 0;
  for (int i = 0; i < 5'000; ++i) {
    std::string mutated = bytes;
    for (int edits = 1 + static_cast<int>(random() % 8); edits > 0; --edits) {
      // Half of the edits hit the headers, where they hurt.
      const std::size_t at = random() % 2 == 0 ? random() % 512 : random() % mutated.size();
      mutated[at] = random() % 4 == 0 ? '\xff' : static_cast<char>(random());
    }
    const LintReport report = lint_plugin("mutated.so", mutated);
    if (report.refusals.empty()) continue;
    ++refused;
    REQUIRE_FALSE(refusal(report).message.empty());
  }
  CHECK(refused > 500);
}

}  // namespace weir::host
