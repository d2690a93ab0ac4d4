#include "resolve/plugin_check.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include "resolve/check_child.hpp"
#include "resolve/random_message.hpp"

namespace weir::host {

TEST_CASE("plugin inspect: a good file tells everything without being loaded") {
  const auto report = inspect_plugin(WEIR_TEST_PLUGIN);

  REQUIRE(report);
  CHECK(report->loadable);
  CHECK(report->file.manifest.plugin == "zoo");
  INFO(report->schemas_text);
  CHECK(report->schemas_text.find("message Tally {\n  int64 records = 1;\n}") != std::string::npos);
  REQUIRE(report->lint.size() == 10);
  CHECK(report->lint.front().name == "file");
  for (const CheckResult& rule : report->lint) CHECK(rule.status == CheckStatus::pass);
}

TEST_CASE("plugin inspect: a file that is no plugin says why") {
  const auto report = inspect_plugin("/proc/self/exe");

  REQUIRE(report);
  CHECK_FALSE(report->loadable);
  CHECK(report->schemas_text.empty());
}

TEST_CASE("plugin check: settings come from JSON by the resolver's own schema") {
  auto file = read_plugin_file(WEIR_TEST_PLUGIN);
  REQUIRE(file);
  const auto none = settings_from_json(*file, "count", "{}");
  REQUIRE_FALSE(none);
  CHECK(none.error().message == "resolver count takes no settings");
  CHECK_FALSE(settings_from_json(*file, "other", "{}"));

  file->manifest.resolvers[0].settings_type = "zoo.Count";
  const auto bytes = settings_from_json(*file, "count", R"({"records": "5"})");
  REQUIRE(bytes);
  CHECK(*bytes == "\x08\x05");
  const auto wrong = settings_from_json(*file, "count", R"({"record": 5})");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == Errc::usage);
  CHECK(wrong.error().message.find("settings of resolver count are no zoo.Count") == 0);
}

TEST_CASE("check child: a request survives its arguments") {
  CheckRequest request;
  request.path = "dir with space/x.so";
  request.previous = "before.so";
  request.copy_directory = "copies";
  request.nonce = "abc";
  request.seed = ~std::uint64_t{0};
  request.first_check = 7;
  request.seconds_max = 12;
  request.check_ms_max = 3000;
  request.settings["one"] = std::string("\x00\xff=a", 4);
  request.settings["two"] = "";
  const auto back = CheckRequest::from_arguments(request.to_arguments());

  REQUIRE(back);
  CHECK(back->path == request.path);
  CHECK(back->previous == request.previous);
  CHECK(back->nonce == request.nonce);
  CHECK(back->seed == request.seed);
  CHECK(back->first_check == request.first_check);
  CHECK(back->seconds_max == request.seconds_max);
  CHECK(back->check_ms_max == request.check_ms_max);
  CHECK(back->settings == request.settings);
  CHECK_FALSE(CheckRequest::from_arguments(std::vector<std::string>{"x"}));
}

TEST_CASE("check child: a text of several lines travels as one") {
  const std::string text = "two\nlines \\n and a \\";

  CHECK(escape_line(text).find('\n') == std::string::npos);
  CHECK(unescape_line(escape_line(text)) == text);
}

TEST_CASE("check child: lines arrive and the end is told") {
  std::vector<std::string> lines;
  const auto end =
      run_child({"/bin/sh", "-c", "echo one >&3; echo two >&3; echo oops >&2; exit 3"},
                std::chrono::seconds(60), [&](std::string_view line) { lines.emplace_back(line); });

  REQUIRE(end);
  CHECK(lines == std::vector<std::string>{"one", "two"});
  CHECK(end->how == "exit code 3");
  CHECK(end->said == "oops\n");
}

TEST_CASE("check child: a signal has its name") {
  const auto end =
      run_child({"/bin/sh", "-c", "kill -BUS $$"}, std::chrono::seconds(60), [](auto) {});

  REQUIRE(end);
  CHECK(end->how == "SIGBUS");
}

TEST_CASE("check child: what it started does not hold us up") {
  // The grandchild keeps both pipes open for longer than the test may take.
  const auto end = run_child({"/bin/sh", "-c", "sleep 1000 & exit 0"},
                             std::chrono::milliseconds(200), [](auto) {});

  REQUIRE(end);
  CHECK(end->how == "no answer for 200 ms");
}

TEST_CASE("check child: a program that does not exist is an error") {
  const auto end = run_child({"/nowhere/weir"}, std::chrono::seconds(60), [](auto) {});

  REQUIRE_FALSE(end);
  CHECK(end.error().message.find("/nowhere/weir") != std::string::npos);
}

TEST_CASE("random message: equal seeds give equal messages and other seeds others") {
  google::protobuf::FileDescriptorProto one;
  google::protobuf::FileDescriptorProto same;
  google::protobuf::FileDescriptorProto other;
  std::mt19937_64 random(1);
  fill_random(one, random);
  random.seed(1);
  fill_random(same, random);
  random.seed(2);
  fill_random(other, random);

  CHECK(one.ByteSizeLong() > 0);
  CHECK(one.IsInitialized());
  // As bytes: a random NaN is not equal to itself.
  CHECK(one.SerializeAsString() == same.SerializeAsString());
  CHECK(one.SerializeAsString() != other.SerializeAsString());
}

}  // namespace weir::host
