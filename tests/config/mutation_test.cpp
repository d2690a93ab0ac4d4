// Valid files with seeded damage: never a crash, always either an app or findings that point into
// the file. WEIR_SEED and WEIR_CASES repeat and extend a run.
#include <doctest/doctest.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <random>
#include <vector>

#include "config/config.hpp"
#include "files.hpp"

namespace weir::host {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* given = std::getenv(variable);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

std::string mutated(std::string text, const std::vector<std::string>& pieces,
                    std::mt19937_64& random) {
  for (auto left = 1 + random() % 2; left > 0 && !text.empty(); --left) {
    const std::size_t at = random() % text.size();
    const std::size_t size = random() % 20;
    switch (random() % 6) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, size);
        break;
      case 2:
        text.insert(at, pieces[random() % pieces.size()]);
        break;
      case 3:
        text.insert(at, text.substr(random() % text.size(), size));
        break;
      case 4:
        text.resize(at);
        break;
      default: {
        const std::string piece = text.substr(at, size);
        text.erase(at, size);
        text.insert(text.empty() ? 0 : random() % text.size(), piece);
      }
    }
  }
  return text;
}

/// The lines that findings name are lines of the file, and each finding says something.
void check_findings(const std::string& rendered, const std::string& text) {
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  std::istringstream in(rendered);
  std::size_t findings = 0;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("m.yaml:") || line.find(": error: ") == line.npos) continue;
    ++findings;
    CHECK(line.size() > line.find(": error: ") + 9);
    if (line.starts_with("m.yaml: ")) continue;
    long number = 0;
    std::from_chars(line.data() + 7, line.data() + line.size(), number);
    CHECK(number >= 1);
    CHECK(number <= lines);
  }
  CHECK(findings > 0);
}

}  // namespace

TEST_CASE("config: damaged files are refused with findings inside the file or bound") {
  const std::uint64_t seed = number_from("WEIR_SEED", 1);
  const std::uint64_t cases = number_from("WEIR_CASES", 5000);
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  std::vector<std::string> inputs;
  for (const char* name : {"valid/minimal.yaml", "valid/full.yaml", "valid/environment.yaml",
                           "broken/many.yaml", "broken/complex_keys.yaml"}) {
    inputs.push_back(test::read_text(test::config_files() / name));
  }
  const std::vector<std::string> pieces = {"\t",          "\n",
                                           "\r",          ": ",
                                           "- ",          "? ",
                                           "{",           "}",
                                           "[",           "]",
                                           "&a ",         "*a",
                                           "!!str ",      "<<: ",
                                           "|\n",         ">\n",
                                           "'",           "\"",
                                           "\\",          "#",
                                           "---\n",       "...\n",
                                           "%YAML 1.2\n", "${",
                                           "${HOME}",     "$$",
                                           "~",           "null",
                                           "\xFF",        std::string(1, '\0'),
                                           "\x04",        "\xEF\xBB\xBF",
                                           "\xC2\x85",    "\xE2\x80\xA8",
                                           "[[[[[[[[",    "{a: {a: {a: "};

  std::uint64_t bound = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t i = 0; i < cases; ++i) {
    CAPTURE(i);
    const std::string text = mutated(inputs[random() % inputs.size()], pieces, random);
    CAPTURE(text);
    const auto config = Config::parse(text, "m.yaml");
    if (config) {
      ++bound;
      CHECK_FALSE(config->effective().empty());
    } else {
      ++refused;
      check_findings(config.error().message, text);
    }
  }
  MESSAGE("seed " << seed << ": " << bound << " bound, " << refused << " refused");
  CHECK(bound > 0);
  CHECK(refused > 0);
}

}  // namespace weir::host
