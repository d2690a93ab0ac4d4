// Settings are bound to any message whose descriptor is at hand: here one read from a .proto at run
// time, as the host has it from a plugin's embedded schemas.
#include <doctest/doctest.h>
#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>

#include "config/config.hpp"
#include "files.hpp"

namespace weir::host {
namespace {

namespace pb = google::protobuf;

class Errors : public pb::compiler::MultiFileErrorCollector {
 public:
  void AddError(const std::string& file, int line, int /*column*/,
                const std::string& message) override {
    FAIL(file << ":" << line << ": " << message);
  }
};

/// The message of settings.proto.
class Schema {
 public:
  Schema() : importer_(&tree_, &errors_), factory_(importer_.pool()) {
    tree_.MapPath("", test::config_files().string());
    tree_.MapPath("", WEIR_PROTO_DIRECTORY);
    tree_.MapPath("", WEIR_PROTOBUF_INCLUDE_DIRECTORY);
    const pb::FileDescriptor* file = importer_.Import("settings.proto");
    REQUIRE(file != nullptr);
    type_ = file->FindMessageTypeByName("Settings");
  }
  std::unique_ptr<pb::Message> make() {
    return std::unique_ptr<pb::Message>(factory_.GetPrototype(type_)->New());
  }

 private:
  pb::compiler::DiskSourceTree tree_;
  Errors errors_;
  pb::compiler::Importer importer_;
  pb::DynamicMessageFactory factory_;
  const pb::Descriptor* type_ = nullptr;
};

Config app_with(const std::string& settings) {
  auto config = Config::parse(
      "app: a\nplugins: [p.so]\nsources: {in: {topic: in}}\nresolvers:\n  r:\n    use: p/r\n"
      "    from: in\n" +
          settings,
      (test::config_files() / "valid" / "app.yaml").string());
  if (!config) FAIL(config.error().message);
  return *std::move(config);
}

/// Settings lines indented as they stand in an app.
std::string settings_of(const std::string& yaml) {
  std::string out = "    settings:\n";
  std::istringstream in(yaml);
  for (std::string line; std::getline(in, line);) out += "      " + line + "\n";
  return out;
}

std::string bound(const std::string& yaml) {
  Schema schema;
  const auto settings = schema.make();
  const Config config = app_with(settings_of(yaml));
  const auto result = config.bind_settings("r", settings.get());
  if (!result) return result.error().message;
  pb::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  std::string out;
  printer.PrintToString(*settings, &out);
  return out;
}

std::string finding(const std::string& yaml) {
  const std::string text = bound(yaml);
  const std::size_t start = text.find("error: ");
  if (start == text.npos) return "bound: " + text;
  return text.substr(start + 7, text.find('\n', start) - start - 7);
}

}  // namespace

TEST_CASE("settings: scalars of every type arrive") {
  CHECK(bound("text: no\nraw: AAEC\nflag: true\ni32: -2147483648\ns32: -1\nu32: 4294967295\n"
              "f32: 7\ni64: -9223372036854775808\nu64: 18446744073709551615\nsf64: -8\n"
              "real: 0.5\nwide: -1e300\nmaybe: 0") ==
        "text: \"no\" raw: \"\\000\\001\\002\" flag: true i32: -2147483648 s32: -1 u32: 4294967295 "
        "f32: 7 i64: -9223372036854775808 u64: 18446744073709551615 sf64: -8 real: 0.5 "
        "wide: -1e+300 maybe: 0 wait: 5000 ");
}

TEST_CASE("settings: enums are written in lower case without the prefix that all values share") {
  CHECK(bound("mode: strict\ncolor: dark_green\nmodes: [loose, strict]") ==
        "mode: MODE_STRICT color: DARK_GREEN modes: MODE_LOOSE modes: MODE_STRICT wait: 5000 ");
  CHECK(bound("color: red\nwait: infinity") == "wait: -1 ");
  CHECK(finding("mode: MODE_STRICT") ==
        "resolvers.r.settings.mode: \"MODE_STRICT\" is not one of strict, loose");
  CHECK(finding("mode: unspecified") ==
        "resolvers.r.settings.mode: \"unspecified\" is not one of strict, loose");
}

TEST_CASE("settings: messages nest in fields and lists and maps") {
  CHECK(bound("window: {size: 1m, name: w}\nwindows:\n  - {size: 1s}\n  - size: 2s\n"
              "by_name: {a: {size: 3s}}\nright: {size: 4s}\nnested: {nested: {text: deep}}") ==
        "window { size: 60000 name: \"w\" } windows { size: 1000 } windows { size: 2000 } "
        "by_name { key: \"a\" value { size: 3000 } } right { size: 4000 } wait: 5000 "
        "nested { wait: 5000 nested { text: \"deep\" wait: 5000 } } ");
}

TEST_CASE("settings: lists and maps of scalars keep their types") {
  CHECK(
      bound("words: [a, true, 007]\nnumbers: [1, -2]\nby_number: {-3: x}\nby_flag: {true: 0.25}") ==
      "words: \"a\" words: \"true\" words: \"007\" numbers: 1 numbers: -2 "
      "by_number { key: -3 value: \"x\" } by_flag { key: true value: 0.25 } wait: 5000 ");
}

TEST_CASE("settings: well-known types are written as people write them") {
  CHECK(bound("at: 2026-01-31T00:00:00.25Z\nspan: 1m30s\nwrapped: 5\nwrapped_text: hi\n"
              "mask: a,b.c\nwait: 0") ==
        "at { seconds: 1769817600 nanos: 250000000 } span { seconds: 90 } wrapped { value: 5 } "
        "wrapped_text { value: \"hi\" } mask { paths: \"a\" paths: \"b.c\" } ");
  CHECK(bound("value: [1, \"1\", true, ~, {a: b}]\nwait: 0") ==
        "value { list_value { values { number_value: 1 } values { string_value: \"1\" } "
        "values { bool_value: true } values { null_value: NULL_VALUE } "
        "values { struct_value { fields { key: \"a\" value { string_value: \"b\" } } } } } } ");
  CHECK(bound("object: {n: 1}\nlist: [x]\nwait: 0") ==
        "object { fields { key: \"n\" value { number_value: 1 } } } "
        "list { values { string_value: \"x\" } } ");
}

TEST_CASE("settings: what does not fit is named with its path") {
  const std::string at = "resolvers.r.settings.";
  CHECK(finding("txt: a") == "unknown key \"txt\" in resolvers.r.settings");
  CHECK(finding("i32: 2147483648") ==
        at + "i32: \"2147483648\" is outside -2147483648 to 2147483647");
  CHECK(finding("u64: -1") == at + "u64: \"-1\" is not a whole number");
  CHECK(finding("wide: nan") == at + "wide: \"nan\" is not a number");
  CHECK(finding("real: 1e300") == at + "real: \"1e300\" does not fit the number's type");
  CHECK(finding("raw: \"***\"") == at + "raw: \"***\" is not base64");
  CHECK(finding("window: 5s") == at + "window: expected a map, found a single value");
  CHECK(finding("window: {}") == at + "window has no \"size\"");
  CHECK(finding("windows: [{size: 1s}, {}]") == at + "windows.1 has no \"size\"");
  CHECK(finding("windows: {size: 1s}") == at + "windows: expected a list, found a map");
  CHECK(finding("by_number: {x: y}") == at + "by_number: \"x\" is not a whole number");
  CHECK(finding("by_flag: {true: x}") == at + "by_flag.true: \"x\" is not a number");
  CHECK(finding("left: a\nright: {size: 1s}") ==
        "resolvers.r.settings: left and right exclude each other");
  CHECK(finding("any: {}") == at + "any: an Any cannot be written in YAML");
  CHECK(finding("at: today").starts_with(at + "at: \"today\" is not a time"));
  CHECK(finding("span: infinity") == at + "span: infinity is not possible here");
  CHECK(finding("wrapped: x") == at + "wrapped: \"x\" is not a whole number");
  CHECK(finding("percent: 101") == at + "percent: \"101\" is outside 1 to 100");
  CHECK(finding("object: [a]") == at + "object: expected a map, found a list");
  CHECK(finding("text: ~") == at + "text: expected text, found nothing");
  CHECK(finding("words: a") == at + "words: expected a list, found a single value");
}

TEST_CASE("settings: absent settings leave the defaults") {
  Schema schema;
  const auto settings = schema.make();
  const Config config = app_with("");

  REQUIRE(config.bind_settings("r", settings.get()));
  CHECK(settings->ShortDebugString() == "wait: 5000");
}

TEST_CASE("settings: every error of the settings comes in one run with positions of the app") {
  const std::string text = bound("txt: a\nflag: yes\npercent: 0");

  CHECK(text.find("app.yaml:9:7: error: unknown key") != text.npos);
  CHECK(text.find("app.yaml:10:13: error: resolvers.r.settings.flag") != text.npos);
  CHECK(text.find("app.yaml:11:16: error: resolvers.r.settings.percent") != text.npos);
  CHECK(text.ends_with("3 errors"));
}

TEST_CASE("settings: sensitive ones are hidden once their schema is known") {
  Schema schema;
  const auto settings = schema.make();
  const Config config = app_with(settings_of("password: hunter2\nnested: {password: hunter3}"));

  REQUIRE(config.bind_settings("r", settings.get()));
  CHECK(config.effective().find("hunter") == std::string::npos);
  CHECK(config.effective().find("password: \"***\"") != std::string::npos);
}

TEST_CASE("settings: a file's content reaches the message and not the effective configuration") {
  Schema schema;
  const auto settings = schema.make();
  const Config config = app_with(settings_of("text: ${file:token.txt}"));

  REQUIRE(config.bind_settings("r", settings.get()));
  CHECK(settings->ShortDebugString() == "text: \"s3cret: {not: yaml}\" wait: 5000");
  CHECK(config.effective().find("text: \"${file:token.txt}\"") != std::string::npos);
}

}  // namespace weir::host
