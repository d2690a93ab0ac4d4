#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include <sys/wait.h>
#include <nlohmann/json.hpp>

namespace weir::host {

namespace {

struct Run {
  int code = -1;
  std::string out;
};

/// The real binary. `arguments` are words for the shell; talk on stderr is left to the test's own.
Run weir(const std::string& arguments) {
  Run run;
  const std::string command = "'" WEIR_BINARY "' " + arguments;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, pipe)) {
    run.out.append(buffer, count);
  }
  const int status = pclose(pipe);
  run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return run;
}

std::string plugin(const std::string& name) { return "'" WEIR_ZOO_PLUGINS "/" + name + ".so'"; }

}  // namespace

TEST_CASE("zoo: weir plugin inspect prints what a file says of itself") {
  const Run text = weir("plugin inspect " + plugin("good"));
  INFO(text.out);
  CHECK(text.code == 0);
  CHECK(text.out.starts_with("plugin             zoo 1.0\n"));
  CHECK(text.out.find("  state            zoo.Count, version 1\n") != std::string::npos);
  CHECK(text.out.find("message Tally {\n  int64 records = 1;\n}") != std::string::npos);

  const Run json = weir("plugin inspect --format json " + plugin("good"));
  CHECK(json.code == 0);
  const auto report = nlohmann::json::parse(json.out);
  CHECK(report["loadable"] == true);
  CHECK(report["sha256"].get<std::string>().size() == 64);
  CHECK(report["resolvers"][0]["state"] == "zoo.Count");
  CHECK(report["resolvers"][0]["settings"].is_null());
  CHECK(report["resolvers"][0]["state_version"] == 1);
  CHECK(report["resolvers"][0]["readable_by"] == 1);
}

TEST_CASE("zoo: weir plugin inspect says which older code reads the States") {
  const auto state_line = [](const std::string& file) {
    const Run run = weir("plugin inspect '" WEIR_PAGE_TIMES "/" + file + "'");
    INFO(run.out);
    const std::size_t begin = run.out.find("  state");
    REQUIRE(begin != std::string::npos);
    return run.out.substr(begin, run.out.find('\n', begin) - begin);
  };
  CHECK(state_line("page_time_v1.so") == "  state            page_time.PageTime, version 1");
  CHECK(state_line("page_time_v2.so") ==
        "  state            page_time.PageTime, version 2, readable by code of version 1 on");
  CHECK(state_line("page_time_v3.so") ==
        "  state            page_time.PageTime, version 3, not readable by older code");
}

TEST_CASE("zoo: weir plugin inspect exits with 77 for a file that would be refused") {
  const Run run = weir("plugin inspect " + plugin("full_runtime"));
  INFO(run.out);
  CHECK(run.code == 77);
  CHECK(run.out.find("✗ protobuf         it has full-runtime Protobuf code") != std::string::npos);
}

TEST_CASE("zoo: weir plugin check runs its checks in children of itself") {
  const Run good = weir("plugin check --seed 3 " + plugin("good"));
  INFO(good.out);
  CHECK(good.code == 0);
  CHECK(good.out.find("✓ unloading        100 times") != std::string::npos);
  CHECK(good.out.ends_with("\n22 passed (seed 3)\n"));

  const Run bad = weir("plugin check --format json --seed 3 " + plugin("ctor_exit0"));
  CHECK(bad.code == 1);
  const auto report = nlohmann::json::parse(bad.out);
  CHECK(report["passed"] == false);
  CHECK(report["seed"] == "3");
  CHECK(report["results"].back()["check"] == "load");
  CHECK(report["results"].back()["status"] == "crash");
}

TEST_CASE("zoo: weir plugin check takes the States of the build before and gives them back") {
  const auto over = [](const std::string& from, const std::string& to) {
    const std::string files = WEIR_PAGE_TIMES "/page_time_";
    return weir("plugin check --seed 3 '" + files + to + ".so' --previous '" + files + from +
                ".so'");
  };
  const Run readable = over("v1", "v2");
  INFO(readable.out);
  CHECK(readable.code == 0);
  CHECK(readable.out.find("of the build before read, migrated from version 1 to 2") !=
        std::string::npos);
  CHECK(readable.out.find("given back to the build before\n") != std::string::npos);

  const Run undone = over("v2", "v3");
  INFO(undone.out);
  CHECK(undone.code == 0);
  CHECK(undone.out.find("page_time 2.0.0 does not read those of version 3: a rollback puts the "
                        "States of before back") != std::string::npos);

  const Run backwards = over("v3", "v1");
  INFO(backwards.out);
  CHECK(backwards.code == 1);
  CHECK(backwards.out.find("✗ previous schema  resolver add: its State version is 1") !=
        std::string::npos);
  CHECK(backwards.out.find("page_time.PageTime.total_ms (field 2) was int64, is gone") !=
        std::string::npos);

  const Run other =
      weir("plugin check " + plugin("good") + " --previous '" WEIR_PAGE_TIMES "/page_time_v1.so'");
  CHECK(other.code == 1);
  CHECK(other.out.find("it is plugin zoo, the build before is page_time") != std::string::npos);
}

TEST_CASE("zoo: weir plugin check refuses settings that do not fit") {
  CHECK(weir("plugin check --settings 'count={}' " + plugin("good") + " 2>&1")
            .out.find("resolver count takes no settings") != std::string::npos);
  CHECK(weir("plugin check --settings count " + plugin("good") + " 2>&1").code == 64);
}

}  // namespace weir::host
