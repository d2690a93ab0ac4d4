// Dead letters are sent back to the resolver that refused them.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "run_weir.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {
namespace {

using test::Outcome;
using test::run_weir;

/// Two records of 1970 that were too late, one that is no JSON, and one that was taken.
class LateApp {
 public:
  LateApp() {
    std::filesystem::copy_file(WEIR_UNIQUE_IPS, directory_ / "unique_ips.so");
    std::ofstream(directory_ / "app.yaml")
        << "app: ips\nplugins: [unique_ips.so]\nsources:\n"
           "  visits: {topic: visits, late_arrival_deadline: 7d, late: dead_letter}\n"
           "resolvers:\n"
           "  count_ips: {use: unique_ips/count_ips, from: visits, to: features}\n"
           "sinks: {features: {topic: unique-ips}}\n";
    const Outcome produced =
        weir({"produce", "visits", "-c", "app.yaml"},
             "{\"key\":\"ana\",\"value\":{\"userId\":\"ana\",\"ip\":\"a\"},\"timestamp\":1000}\n"
             "{\"key\":\"ana\",\"value\":{\"userId\":\"ana\",\"ip\":\"b\"},\"timestamp\":2000}\n"
             "{\"key\":\"bob\",\"value\":\"no JSON\"}\n"
             "{\"key\":\"ana\",\"value\":{\"userId\":\"ana\",\"ip\":\"c\"}}\n");
    REQUIRE(produced.code == 0);
    run();
  }
  void run() const {
    const Outcome ran = weir({"run", "-c", "app.yaml", "--until-end"});
    CAPTURE(ran.err);
    REQUIRE(ran.code == 0);
  }
  Outcome retry(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"deadletters", "retry", "-c", "app.yaml"});
    return weir(arguments);
  }
  std::string state() const { return weir({"state", "get", "ana", "-c", "app.yaml"}).out; }
  std::string letters() const { return weir({"deadletters", "list", "-c", "app.yaml"}).out; }
  Outcome weir(const std::vector<std::string>& arguments, const std::string& input = {}) const {
    return run_weir(arguments, input, directory_.path());
  }

 private:
  test::TempDir directory_;
};

std::ptrdiff_t lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

}  // namespace

TEST_CASE("retry: late records are taken once each with their own time and whatever their age") {
  const LateApp app;
  REQUIRE(lines(app.letters()) == 3);
  REQUIRE(app.state().find("\"a\"") == std::string::npos);

  const Outcome tried = app.retry({"--all", "--error", "late", "--dry-run"});
  CHECK(tried.code == 0);
  CHECK(lines(tried.out) == 2);
  CHECK(tried.err == "2 dead letters would be sent back\n");
  const Outcome sent = app.retry({"--all", "--error", "late"});
  CHECK(sent.code == 0);
  CHECK(sent.err == "2 dead letters sent back\n");
  const Outcome again = app.retry({"--all", "--error", "late"});
  CHECK(again.err == "0 dead letters sent back\n");
  CHECK(again.out.find("was sent back before") != std::string::npos);

  app.run();
  app.run();
  CHECK(app.state().find(R"({"seen":{"a":true,"b":true,"c":true}})") != std::string::npos);
  CHECK(lines(app.letters()) == 3);
  const Outcome features = app.weir({"consume", "unique-ips", "-c", "app.yaml", "--from", "0"});
  CAPTURE(features.out);
  CHECK(lines(features.out) == 3);  // each was told once
  CHECK(features.out.find("\"timestamp\":1000") != std::string::npos);
  CHECK(features.out.find("\"timestamp\":2000") != std::string::npos);
}

TEST_CASE("retry: what is refused again is a dead letter again and says which one it was") {
  const LateApp app;

  CHECK(app.retry({"0:2"}).code == 0);
  app.run();
  REQUIRE(lines(app.letters()) == 4);
  const Outcome show = app.weir({"deadletters", "show", "0:3", "-c", "app.yaml"});
  CHECK(show.out.find("record           visits partition 0 offset 2\n") != std::string::npos);
  CHECK(show.out.find("retry_of         0:2\n") != std::string::npos);

  CHECK(app.retry({"0:3"}).code == 0);
  app.run();
  CHECK(lines(app.letters()) == 5);
}

TEST_CASE("retry: all leaves out those of timers and sends the rest") {
  const LateApp app;
  const std::string timer =
      "{\"key\":\"ana\",\"value\":\"\",\"headers\":{\"weir.error\":\"rejected\","
      "\"weir.task\":\"visits-0\",\"weir.resolver\":\"count_ips\",\"weir.topic\":\"visits\","
      "\"weir.partition\":\"0\",\"weir.timer_ms\":\"5000\"}}\n";
  REQUIRE(app.weir({"produce", "ips.deadletters", "-c", "app.yaml"}, timer + timer).code == 0);
  REQUIRE(lines(app.letters()) == 5);

  const Outcome sent = app.retry({"--all"});
  CHECK(sent.code == 0);
  CHECK(sent.err.find("2 dead letters of timers left out") == 0);
  CHECK(sent.err.find("3 dead letters sent back\n") != std::string::npos);
  CHECK(lines(sent.out) == 3);

  const Outcome named = app.retry({"0:3"});
  CHECK(named.code == 1);
  CHECK(named.err.find("0:3 cannot be sent back: it was a timer") != std::string::npos);
}

TEST_CASE("retry: what cannot be sent back is said and then nothing is sent") {
  const LateApp app;

  CHECK(app.retry({}).code == 64);
  CHECK(app.retry({"0:0", "--all"}).code == 64);
  const Outcome nobody = app.retry({"0:17"});
  CHECK(nobody.code == 69);
  CHECK(nobody.err.find("there is no dead letter 0:17 in ips.deadletters") != std::string::npos);

  const Outcome elsewhere = app.retry({"0:0", "--state", "other"});
  CHECK(elsewhere.code == 1);
  CHECK(elsewhere.err.find("no State of task visits-0 in other") != std::string::npos);
  app.run();
  CHECK(lines(app.letters()) == 3);
}

}  // namespace weir::host
