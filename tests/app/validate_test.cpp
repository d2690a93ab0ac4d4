#include <doctest/doctest.h>

#include <fstream>

#include "run_weir.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {
namespace {

using test::Outcome;
using test::run_weir;

/// A directory with an app in it that uses the sample plugin unique_ips.
class AppDirectory {
 public:
  explicit AppDirectory(
      const std::string& resolver = "{use: unique_ips/count_ips, from: visits, to: features}",
      const std::string& source = "{topic: visits}") {
    std::filesystem::copy_file(WEIR_UNIQUE_IPS, directory_ / "unique_ips.so");
    std::ofstream(directory_ / "app.yaml")
        << "app: ips\nplugins: [unique_ips.so]\nsources: {visits: " << source
        << "}\nresolvers:\n  count: " << resolver << "\nsinks: {features: {topic: unique-ips}}\n";
  }
  Outcome validate(std::vector<std::string> options = {}) const {
    options.insert(options.begin(), {"validate", "-c", "app.yaml"});
    return run_weir(options, "", directory_.path());
  }

 private:
  test::TempDir directory_;
};

}  // namespace

TEST_CASE("validate: an app that fits its plugins is fine") {
  const Outcome outcome = AppDirectory().validate();

  CHECK(outcome.code == 0);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.starts_with(
      "app.yaml: ok, app ips: 1 plugin, 1 source, 1 resolver, 1 sink\n  plugin unique_ips "));
}

TEST_CASE("validate: names and formats are checked against the plugin without running it") {
  const auto said = [](const std::string& resolver, const std::string& source = "{topic: visits}") {
    const Outcome outcome = AppDirectory(resolver, source).validate();
    CHECK(outcome.code == 78);
    return outcome.err;
  };
  CHECK(
      said("{use: unique_ip/count_ips, from: visits}")
          .starts_with("app.yaml:5:16: error: resolvers.count.use: no plugin of this app is called "
                       "\"unique_ip\"\n"));
  CHECK(said("{use: unique_ips/count_ip, from: visits}")
            .find("plugin unique_ips has no resolver \"count_ip\"") != std::string::npos);
  CHECK(said("{use: unique_ips/count_ip, from: visits}").find("did you mean \"count_ips\"?") !=
        std::string::npos);
  CHECK(said("{use: unique_ips/count_ips, from: visits, to: {alerts: features}}")
            .find("has no output \"alerts\"") != std::string::npos);
  CHECK(said("{use: unique_ips/count_ips, from: visits, settings: {a: 1}}")
            .find("unique_ips/count_ips takes no settings") != std::string::npos);
  CHECK(said("{use: unique_ips/count_ips, from: visits}", "{topic: visits, format: text}")
            .find("error: resolvers.count.from: ") != std::string::npos);
  CHECK(said("{use: unique_ips/count_ips, from: visits}", "{topic: visits, required: [nothing]}")
            .find("error: resolvers.count.from: ") != std::string::npos);
}

TEST_CASE("validate: findings are data in JSON") {
  const Outcome outcome =
      AppDirectory("{use: unique_ips/count, from: visits}").validate({"--format", "json"});

  CHECK(outcome.code == 78);
  CHECK(outcome.err.empty());
  CHECK(
      outcome.out.find("{\"file\":\"app.yaml\",\"line\":5,\"column\":16,\"severity\":\"error\"") !=
      std::string::npos);
}

TEST_CASE("validate: a warning is fine unless it is denied") {
  const AppDirectory app("{use: unique_ips/count_ips, from: visits}");

  CHECK(app.validate().code == 0);
  CHECK(app.validate().err.find("warning: no resolver writes to sinks.features") !=
        std::string::npos);
  CHECK(app.validate({"--deny-warnings"}).code == 78);
}

TEST_CASE("validate: plugin files can be left unread and the effective app is data") {
  const AppDirectory app("{use: other/thing, from: visits, to: features}");

  CHECK(app.validate().code == 78);
  const Outcome outcome = app.validate({"--no-plugins", "--print-effective"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out.starts_with("app: ips\nlog:\n  embedded:\n    sync: true\n"));
}

TEST_CASE("validate: a file that is not there is a configuration error") {
  const Outcome outcome = run_weir({"validate", "no-such.yaml"});

  CHECK(outcome.code == 78);
  CHECK(outcome.err == "no-such.yaml: cannot read the app's YAML: No such file or directory\n");
}

}  // namespace weir::host
