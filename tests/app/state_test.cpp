// An app runs over the embedded log; then State, features and dead letters are looked at from
// outside.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "run_weir.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {
namespace {

using test::Outcome;
using test::run_weir;

/// Four records through unique_ips: two users, one record that is no JSON, one of another shape.
class FinishedApp {
 public:
  FinishedApp() {
    std::filesystem::copy_file(WEIR_UNIQUE_IPS, directory_ / "unique_ips.so");
    std::ofstream(directory_ / "app.yaml")
        << "app: ips\nplugins: [unique_ips.so]\nsources: {visits: {topic: visits}}\nresolvers:\n"
           "  count_ips: {use: unique_ips/count_ips, from: visits, to: features}\n"
           "sinks: {features: {topic: unique-ips}}\n";
    const Outcome produced = weir({"produce", "visits", "-c", "app.yaml"},
                                  "{\"key\":\"ana\",\"value\":{\"userId\":\"ana\",\"ip\":\"a\"}}\n"
                                  "{\"key\":\"ana\",\"value\":{\"userId\":\"ana\",\"ip\":\"b\"}}\n"
                                  "{\"key\":\"bob\",\"value\":{\"userId\":\"bob\",\"ip\":\"a\"}}\n"
                                  "{\"key\":\"bob\",\"value\":\"no JSON\",\"timestamp\":1000}\n");
    REQUIRE(produced.code == 0);
    const Outcome ran = weir({"run", "-c", "app.yaml", "--until-end"});
    CAPTURE(ran.err);
    REQUIRE(ran.code == 0);
    REQUIRE(ran.out.empty());
  }
  Outcome weir(const std::vector<std::string>& arguments, const std::string& input = {}) const {
    return run_weir(arguments, input, directory_.path());
  }

 private:
  test::TempDir directory_;
};

}  // namespace

TEST_CASE("state: what a run leaves can be read without the plugin") {
  const FinishedApp app;

  const Outcome get = app.weir({"state", "get", "ana", "-c", "app.yaml"});
  CHECK(get.code == 0);
  CHECK(get.out.find("\"a\":true") != std::string::npos);
  CHECK(get.err.find("count_ips") != std::string::npos);

  const Outcome json =
      app.weir({"state", "get", "bob", "--state", "state", "-r", "count_ips", "--format", "json"});
  CHECK(json.code == 0);
  CHECK(json.out.starts_with("{\"resolver\":\"count_ips\",\"key\":\"bob\","));
  CHECK(json.err.empty());

  const Outcome nobody = app.weir({"state", "get", "eve", "-c", "app.yaml"});
  CHECK(nobody.code == 1);
  CHECK(nobody.out.empty());
  CHECK(nobody.err == "no State for the key eve\n");

  const Outcome misspelt = app.weir({"state", "list", "-c", "app.yaml", "-r", "count_ip"});
  CHECK(misspelt.code == 69);
  CHECK(misspelt.err.find("count_ips") != std::string::npos);

  const Outcome list = app.weir({"state", "list", "-c", "app.yaml", "--prefix", "a"});
  CHECK(std::count(list.out.begin(), list.out.end(), '\n') == 1);
  CHECK(list.out.find("ana") != std::string::npos);

  const Outcome all = app.weir({"state", "export", "-c", "app.yaml"});
  CHECK(std::count(all.out.begin(), all.out.end(), '\n') == 2);
  CHECK(all.err == "2 States\n");
  const Outcome one = app.weir({"state", "export", "-c", "app.yaml", "--limit", "1"});
  CHECK(std::count(one.out.begin(), one.out.end(), '\n') == 1);
}

TEST_CASE("records: features in Protobuf are shown as JSON where the app knows their type") {
  const FinishedApp app;

  const Outcome known = app.weir({"consume", "unique-ips", "-c", "app.yaml"});
  CHECK(known.code == 0);
  CHECK(std::count(known.out.begin(), known.out.end(), '\n') == 3);
  CHECK(known.out.find("\"value\":{\"userId\":\"ana\"") != std::string::npos);
  const Outcome bytes = app.weir({"consume", "unique-ips", "--log", "state/log"});
  CHECK(bytes.out.find("\"value\":{") == std::string::npos);
}

TEST_CASE("deadletters: a record that was set aside is listed with its reason and shown whole") {
  const FinishedApp app;

  const Outcome list = app.weir({"deadletters", "list", "-c", "app.yaml"});
  CHECK(list.code == 0);
  CHECK(std::count(list.out.begin(), list.out.end(), '\n') == 1);
  CHECK(list.out.starts_with("0:0 "));
  CHECK(list.out.find("undecodable") != std::string::npos);
  CHECK(list.out.find("visits/0@3") != std::string::npos);

  const Outcome show = app.weir({"deadletters", "show", "0:0", "-c", "app.yaml"});
  CHECK(show.code == 0);
  CHECK(show.out.find("error            undecodable\n") != std::string::npos);
  CHECK(show.out.find("record           visits partition 0 offset 3\n") != std::string::npos);
  CHECK(show.out.find("timestamp        1970-01-01T00:00:01Z (1000)\n") != std::string::npos);
  CHECK(show.out.find("key              bob\n") != std::string::npos);
  CHECK(show.out.find("value            no JSON\n") != std::string::npos);

  const Outcome json =
      app.weir({"deadletters", "show", "0:0", "-c", "app.yaml", "--format", "json"});
  CHECK(json.out.find("\"value\":\"no JSON\"") != std::string::npos);
  CHECK(app.weir({"deadletters", "list", "-c", "app.yaml", "--error", "late"}).out.empty());
  CHECK(app.weir({"deadletters", "list", "-c", "app.yaml", "--error", "lat"}).code == 64);
  CHECK(app.weir({"deadletters", "show", "0:7", "-c", "app.yaml"}).code == 1);
  CHECK(app.weir({"deadletters", "show", "seven", "-c", "app.yaml"}).code == 64);
}

TEST_CASE("state: a directory without State says what to do") {
  const test::TempDir empty;

  const Outcome outcome = run_weir({"state", "list", "--state", empty.path()});
  CHECK(outcome.code == 69);
  CHECK(outcome.out.empty());
}

}  // namespace weir::host
