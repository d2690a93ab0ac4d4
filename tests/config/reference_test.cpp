// host/docs/configuration.md is generated from the schema: this test holds them together.
#include "config/reference.hpp"

#include <doctest/doctest.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include "config/config.hpp"
#include "files.hpp"

namespace weir::host {

TEST_CASE("config: the page of all settings is what the schema says") {
  // Generated code has no comments; this set was written with --include_source_info.
  google::protobuf::FileDescriptorSet set;
  REQUIRE(set.ParseFromString(test::read_text(WEIR_CONFIG_DESCRIPTORS)));
  google::protobuf::DescriptorPool pool;
  for (const auto& file : set.file()) REQUIRE(pool.BuildFile(file) != nullptr);
  const auto* app = pool.FindMessageTypeByName("weir.config.v1.App");
  REQUIRE(app != nullptr);
  std::vector<ReferenceExample> examples;
  for (const auto& [title, name] :
       {std::pair("The smallest app", "minimal.yaml"), std::pair("Every setting once", "full.yaml"),
        std::pair("Values from outside", "environment.yaml")}) {
    const std::filesystem::path file = test::config_files() / "valid" / name;
    CAPTURE(name);
    CHECK(Config::load(file).has_value());
    examples.push_back({title, test::read_text(file)});
  }

  const std::string page = configuration_reference(*app, examples);

  const std::filesystem::path committed = WEIR_CONFIG_REFERENCE;
  if (test::update_golden()) test::write_text(committed, page);
  CHECK_MESSAGE(page == test::read_text(committed),
                "run this test with WEIR_UPDATE=1 and commit host/docs/configuration.md");
}

TEST_CASE("config: every setting has a comment for its users") {
  google::protobuf::FileDescriptorSet set;
  REQUIRE(set.ParseFromString(test::read_text(WEIR_CONFIG_DESCRIPTORS)));
  const std::string page = test::read_text(WEIR_CONFIG_REFERENCE);

  CHECK(page.find("| `late_arrival_deadline` | duration | `infinity` |") != std::string::npos);
  CHECK(page.find("|  |\n") == std::string::npos);
}

}  // namespace weir::host
