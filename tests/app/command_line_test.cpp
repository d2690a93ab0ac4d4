#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "app/exit_code.hpp"
#include "run_weir.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {
namespace {

using test::Outcome;
using test::run_weir;

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// Compares with a file of golden/; WEIR_UPDATE=1 rewrites it instead.
void check_golden(const std::string& name, const std::string& text) {
  const std::filesystem::path file =
      std::filesystem::path(WEIR_APP_TEST_DIRECTORY) / "golden" / name;
  if (std::getenv("WEIR_UPDATE") != nullptr) std::ofstream(file, std::ios::binary) << text;
  CAPTURE(name);
  CHECK(text == read_text(file));
}

}  // namespace

TEST_CASE("command line: every command teaches in its help") {
  const std::vector<std::vector<std::string>> commands = {{},
                                                          {"run"},
                                                          {"crashes"},
                                                          {"reset"},
                                                          {"status"},
                                                          {"validate"},
                                                          {"state"},
                                                          {"state", "get"},
                                                          {"state", "list"},
                                                          {"state", "export"},
                                                          {"plugin"},
                                                          {"plugin", "inspect"},
                                                          {"plugin", "check"},
                                                          {"produce"},
                                                          {"consume"},
                                                          {"deadletters"},
                                                          {"deadletters", "list"},
                                                          {"deadletters", "show"},
                                                          {"deadletters", "retry"},
                                                          {"parked"},
                                                          {"parked", "list"},
                                                          {"parked", "retry"},
                                                          {"parked", "drop"},
                                                          {"reload"},
                                                          {"plugin", "load"},
                                                          {"plugin", "activate"},
                                                          {"plugin", "history"},
                                                          {"plugin", "migrate"},
                                                          {"version"}};
  for (std::vector<std::string> words : commands) {
    std::string name = "help";
    for (const std::string& word : words) name += "_" + word;
    words.push_back("--help");
    const Outcome outcome = run_weir(words);
    CHECK(outcome.code == 0);
    CHECK(outcome.err.empty());
    check_golden(name + ".txt", outcome.out);
  }
}

TEST_CASE("command line: without a command it shows the help") {
  const Outcome outcome = run_weir({});

  CHECK(outcome.code == 0);
  CHECK(outcome.out == run_weir({"--help"}).out);
  CHECK(outcome.out == run_weir({"help"}).out);
}

TEST_CASE("command line: what is misspelt gets a guess on stderr and exit code 64") {
  struct Case {
    std::vector<std::string> arguments;
    std::string said;
  };
  const std::vector<Case> cases = {
      {{"rn"}, "weir: unknown command \"rn\"; did you mean \"run\"?\ntry: weir --help\n"},
      {{"xyzzy"},
       "weir: unknown command \"xyzzy\"; commands: consume, crashes, deadletters, parked, plugin, "
       "produce, reload, reset, run, state, status, validate, version\ntry: weir --help\n"},
      {{"state", "gte", "k"},
       "weir state: unknown command \"gte\"; did you mean \"get\"?\ntry: weir state --help\n"},
      {{"state"}, "weir state: a command is missing\ntry: weir state --help\n"},
      {{"run", "--confg", "x"},
       "weir run: unknown option --confg; did you mean \"--config\"?\ntry: weir run --help\n"},
      {{"run", "--config=x", "--until-ends"},
       "weir run: unknown option --until-ends; did you mean \"--until-end\"?\ntry: weir run "
       "--help\n"},
      {{"run", "-x"}, "weir run: unknown option -x\ntry: weir run --help\n"},
      {{"run"}, "weir run: --config is required\ntry: weir run --help\n"},
      {{"version", "--format", "jsn"},
       "weir version: --format: \"jsn\" is not one of text, json; did you mean \"json\"?\n"
       "try: weir version --help\n"},
      {{"produce", "t", "--log", "l", "--partitions", "many"},
       "weir produce: --partitions: Value many not in range 1 to 10000\ntry: weir produce "
       "--help\n"},
      {{"consume", "t"},
       "weir: error: say where the log is: -c app.yaml, or --log and its directory\n"},
      {{"state", "list"},
       "weir: error: say where the State is: -c app.yaml, or --state and the state directory\n"},
      {{"validate"}, "weir: error: name the app's YAML: weir validate -c app.yaml\n"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.said);
    const Outcome outcome = run_weir(one.arguments);
    CHECK(outcome.code == 64);
    CHECK(outcome.out.empty());
    CHECK(outcome.err == one.said);
  }
}

TEST_CASE("command line: an argument too many is refused") {
  const Outcome outcome = run_weir({"consume", "a", "b", "--log", "x"});

  CHECK(outcome.code == 64);
  CHECK(outcome.err.find("not expected: b") != std::string::npos);
}

TEST_CASE("command line: the version is data") {
  const Outcome text = run_weir({"version"});
  CHECK(text.code == 0);
  CHECK(text.out.starts_with("weir "));
  CHECK(text.err.empty());

  const Outcome json = run_weir({"version", "--format", "json"});
  CHECK(json.out.starts_with("{\"weir\":\""));
  CHECK(run_weir({"--version"}).out == text.out);
}

TEST_CASE("command line: a full stdout is an error and not a success") {
  CHECK(std::system("'" WEIR_BINARY "' version > /dev/full 2> /dev/null") / 256 == 74);
}

TEST_CASE("command line: every kind of error has its exit code") {
  CHECK(exit_code(Errc::usage) == ExitCode::usage);
  CHECK(exit_code(Errc::invalid) == ExitCode::data);
  CHECK(exit_code(Errc::corrupt) == ExitCode::data);
  CHECK(exit_code(Errc::config) == ExitCode::config);
  CHECK(exit_code(Errc::not_found) == ExitCode::unavailable);
  CHECK(exit_code(Errc::unavailable) == ExitCode::unavailable);
  CHECK(exit_code(Errc::refused) == ExitCode::refused);
  CHECK(exit_code(Errc::io) == ExitCode::io);
  CHECK(exit_code(Errc::full) == ExitCode::io);
  CHECK(exit_code(Errc::interrupted) == ExitCode::temporary);
  CHECK(exit_code(Errc::internal) == ExitCode::internal);
}

}  // namespace weir::host
