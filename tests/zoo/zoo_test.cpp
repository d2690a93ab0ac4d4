#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "commit/schema_check.hpp"
#include "resolve/plugin.hpp"
#include "resolve/plugin_check.hpp"
#include "support/temp_dir.hpp"

namespace weir::host {

namespace {

namespace fs = std::filesystem;

#ifdef WEIR_SANITIZED
constexpr bool sanitized = true;  // a sanitizer's report takes the place of the signal
#else
constexpr bool sanitized = false;
#endif
#ifdef WEIR_HEAP_UNCHECKED
constexpr bool heap_is_checked = false;
#else
constexpr bool heap_is_checked = true;
#endif

enum class Step {
  lint,            ///< refused without running any of its code
  load,            ///< refused by Plugin::load(), which runs its entry function
  check,           ///< refused by check_plugin(): fails a check
  crash,           ///< refused by check_plugin(): its process dies
  previous,        ///< fails a check that knows the good plugin as the build before
  run,             ///< by no check: only records that the app has show it (reload_test.py)
  previous_crash,  ///< its process dies in such a check
};

constexpr bool needs_previous(Step step) {
  return step == Step::previous || step == Step::previous_crash;
}
constexpr bool crashes(Step step) { return step == Step::crash || step == Step::previous_crash; }

struct Inmate {
  std::string_view name;
  Step step;
  std::string_view rule;    ///< of the lint, or the check that refuses it
  std::string_view reason;  ///< part of the text
};

constexpr Inmate zoo[] = {
    {"not_elf", Step::lint, "file", "it is no ELF file"},
    {"truncated", Step::lint, "file", "it is truncated or garbled"},
    {"wrong_machine", Step::lint, "file", "it is built for riscv"},
    {"no_entry", Step::lint, "exports", "does not export weir_plugin"},
    {"extra_export", Step::lint, "exports", "it exports zoo_helper besides weir_plugin"},
    {"gnu_unique", Step::lint, "unload", "STB_GNU_UNIQUE symbols (counter()::count)"},
    {"nodelete", Step::lint, "unload", "DF_1_NODELETE"},
    {"static_tls", Step::lint, "unload", "DF_STATIC_TLS"},
    {"text_relocations", Step::lint, "unload", "DT_TEXTREL"},
    {"full_runtime", Step::lint, "protobuf", "it has full-runtime Protobuf code"},
    {"register_extension", Step::lint, "protobuf", "it registers Protobuf extensions"},
    {"shuts_protobuf_down", Step::lint, "protobuf", "it calls ShutdownProtobufLibrary()"},
    {"no_manifest", Step::lint, "manifest", "it has no section .weir.manifest"},
    {"bad_manifest", Step::lint, "manifest", "manifest line 7: expected \"state\" and 2 words"},
    {"two_manifests", Step::lint, "manifest", "it has more than one manifest"},
    {"wrong_abi", Step::lint, "abi",
     "it is built for ABI 1.99, this host has 1.0 and takes older minors of it as well"},
    {"protobuf_mismatch", Step::lint, "protobuf",
     "it is built with Protobuf 4.25.1, this host with 3.21.12"},
    {"no_schemas", Step::lint, "schemas", "it has no section .weir.schemas"},
    {"garbled_schemas", Step::lint, "schemas", "are no FileDescriptorSet"},
    {"missing_type", Step::lint, "schemas", "state names zoo.Missing"},
    {"undefined_symbol", Step::load, "load", "undefined symbol: zoo_nowhere"},
    {"refuses_host", Step::load, "load", "weir_plugin() returned NULL"},
    {"short_struct", Step::load, "load", "its struct_size is"},
    {"null_slot", Step::load, "load", "a slot of state_load, state_save and state_free is NULL"},
    {"no_notify", Step::load, "load", "its slot notify is NULL"},
    {"name_mismatch", Step::load, "load", "its name is \"other\", the manifest says count"},
    {"too_few_resolvers", Step::load, "load", "it has 1 resolvers, the manifest names 2"},
    {"ctor_throws", Step::crash, "load", "SIGABRT"},
    {"ctor_segv", Step::crash, "load", "SIGSEGV"},
    {"ctor_exit0", Step::crash, "load", "exit code 0"},
    {"ctor_hangs", Step::crash, "load", "no answer for"},
    {"create_throws", Step::crash, "settings", "SIGABRT"},
    {"resolve_throws", Step::check, "messages",
     "std::runtime_error crossed the border out of resolve(): thrown by resolve"},
    {"bad_verdict", Step::check, "malformed records", "prepare() gives the verdict WEIR_RETRY"},
    {"wrong_feature", Step::check, "messages", "feature counts is no zoo.Count"},
    {"crash_on_timer", Step::crash, "malformed records", "SIGSEGV"},
    {"crash_on_garbage_record", Step::crash, "malformed records", "SIGSEGV"},
    {"hangs_on_garbage_record", Step::crash, "malformed records", "no answer for"},
    {"crash_on_garbage_state", Step::crash, "malformed states", "SIGSEGV"},
    {"state_not_roundtrip", Step::check, "state round trip",
     "a State changes by being loaded and saved"},
    {"nondeterministic", Step::check, "determinism", "different results in a second instance"},
    {"static_state", Step::check, "determinism", "different results in a second instance"},
    {"shared_between_instances", Step::check, "isolation", "an instance sees what another one did"},
    {"depends_on_batches", Step::check, "batches", "batches of 1 record give other results"},
    {"changes_process", Step::check, "process", "signal 10 has another handler"},
    {"leaks_on_unload", Step::check, "unloading", "it is still mapped after it was unloaded"},
    {"leaks_memory", Step::check, "unloading", "B on the heap"},
    {"ctor_aborts", Step::crash, "load", "SIGABRT"},
    {"wrong_major", Step::lint, "abi", "it is built for ABI 9.0, this host has"},
    {"hangs_in_entry", Step::crash, "load", "no answer for"},
    {"hangs_on_message", Step::crash, "memory", "no answer for"},
    {"slow", Step::check, "memory", "it is too slow: "},
    {"emits_gigabyte", Step::check, "memory",
     "resolve() asks for more than the host gives: one call emits more than 268435456 B"},
    {"garbage_state", Step::check, "messages", "the State of key"},
    {"undefined_status", Step::check, "memory", "resolve() returned 77, which is not defined"},
    {"starts_thread", Step::check, "process", "threads run, 1 before"},
    {"changes_signal_mask", Step::check, "process", "signal 12 is blocked"},
    {"changes_locale", Step::check, "process", "the locale is C.UTF-8"},
    {"changes_environment", Step::check, "process", "the environment has changed"},
    {"leaves_descriptor", Step::check, "process", "(/dev/null) is open"},
    {"smashes_heap", Step::crash, "memory", "SIGABRT"},
    {"smashes_heap_later", Step::run, "", ""},
    {"keeps_record_pointer", Step::crash, "memory", "SIGSEGV: it read bytes of an earlier call"},
    {"keeps_state_pointer", Step::crash, "memory", "SIGSEGV: it read bytes of an earlier call"},
    {"writes_record", Step::crash, "memory",
     "SIGSEGV: it wrote to bytes that it was given to read"},
    {"writes_kept_buffer", Step::check, "memory",
     "it wrote to memory that reserve() or emit() gave to an earlier call"},
    {"reads_past_end", Step::crash, "memory",
     "SIGSEGV: it went beyond the end of bytes that it was given"},
    {"entry_throws", Step::crash, "load", "thrown by weir_plugin"},
    {"shutdown_throws", Step::crash, "load", "thrown by shutdown"},
    {"destroy_throws", Step::crash, "settings", "thrown by destroy"},
    {"prepare_throws", Step::check, "memory",
     "std::runtime_error crossed the border out of prepare(): thrown by prepare"},
    {"batch_free_throws", Step::crash, "memory", "thrown by batch_free"},
    {"state_load_throws", Step::check, "memory", "out of state_load(): thrown by state_load"},
    {"state_save_throws", Step::check, "memory", "out of state_save(): thrown by state_save"},
    {"state_free_throws", Step::crash, "memory", "thrown by state_free"},
    {"notify_throws", Step::check, "memory", "out of notify(): thrown by notify"},
    {"state_type_renamed", Step::previous, "previous schema",
     "the State type was zoo.Count, is zoo.Tally"},
    {"state_given_up", Step::previous, "previous schema", "it was with State, is without"},
    {"refuses_older_state", Step::previous, "previous states",
     "state_load() refuses a State of zoo 1.0 (version 1): States of version 1 are not known here"},
    {"crash_on_older_state", Step::previous_crash, "previous states", "SIGSEGV"},
    {"migrates_again", Step::previous, "rollback",
     "a State is another one after zoo 1.0 has loaded and saved it: modified: records: 1001 -> "
     "2001"},
    {"not_readable_by", Step::previous, "rollback",
     "after a rollback zoo 1.0 goes on otherwise than without it"},
    {"state_int32_to_int64", Step::previous, "previous schema",
     "zoo.Shapes.number (field 1) was int32, is int64"},
    {"state_int64_to_int32", Step::previous, "previous schema",
     "zoo.Shapes.large (field 2) was int64, is int32"},
    {"state_int_to_bool", Step::previous, "previous schema",
     "zoo.Shapes.number (field 1) was int32, is bool"},
    {"state_int_to_enum", Step::previous, "previous schema",
     "zoo.Shapes.number (field 1) was int32, is enum zoo.Shapes.Kind"},
    {"state_enum_to_int", Step::previous, "previous schema",
     "zoo.Shapes.kind (field 5) was enum zoo.Shapes.Kind, is int32"},
    {"state_signed_to_unsigned", Step::previous, "previous schema",
     "zoo.Shapes.number (field 1) was int32, is uint32"},
    {"state_int_to_zigzag", Step::previous, "previous schema",
     "zoo.Shapes.number (field 1) was int32, is sint32"},
    {"state_fixed_to_signed", Step::previous, "previous schema",
     "zoo.Shapes.place (field 3) was fixed64, is sfixed64"},
    {"state_string_to_bytes", Step::previous, "previous schema",
     "zoo.Shapes.text (field 4) was string, is bytes"},
    {"state_bytes_to_string", Step::previous, "previous schema",
     "zoo.Shapes.raw (field 11) was bytes, is string"},
    {"state_singular_to_repeated", Step::previous, "previous schema",
     "zoo.Shapes.text (field 4) was string, is repeated string"},
    {"state_repeated_to_singular", Step::previous, "previous schema",
     "zoo.Shapes.list (field 6) was repeated int32, is int32"},
    {"state_into_oneof", Step::previous, "previous schema",
     "zoo.Shapes.beside (field 10) was outside a oneof, is inside one now"},
    {"state_out_of_oneof", Step::previous, "previous schema",
     "zoo.Shapes.other (field 9) was inside a oneof, is outside one now"},
    {"state_oneof_grows", Step::previous, "previous schema",
     "zoo.Shapes.third (field 13) is new in the oneof choice"},
    {"state_map_key", Step::previous, "previous schema",
     "zoo.Shapes.names (field 7) was map<string, int64>, is map<int64, int64>"},
    {"state_map_value", Step::previous, "previous schema",
     "zoo.Shapes.names (field 7) was map<string, int64>, is map<string, string>"},
    {"state_field_removed", Step::previous, "previous schema",
     "zoo.Shapes.text (field 4) was string, is gone and its number is free"},
    {"state_number_reused", Step::previous, "previous schema",
     "zoo.Shapes.again (field 20) uses a number that was reserved"},
    {"state_fields_swapped", Step::previous, "previous schema",
     "zoo.Shapes.beside (field 4) holds what was field 10"},
    {"state_enum_value_removed", Step::previous, "previous schema",
     "zoo.Shapes.Kind.SMALL (value 1) is gone and its number is free"},
    {"state_enum_values_swapped", Step::previous, "previous schema",
     "zoo.Shapes.Kind.SMALL (value 1) is 2 now"},
    {"state_required_added", Step::previous, "previous schema",
     "zoo.Old.more (field 3) is new and required"},
    {"state_required_dropped", Step::previous, "previous schema",
     "zoo.Old.name (field 2) was required string, is string"},
    {"state_default_changed", Step::previous, "previous schema",
     "zoo.Old.level (field 1) has another default value"},
};

fs::path file_of(std::string_view name) {
  return fs::path(WEIR_ZOO_PLUGINS) / (std::string(name) + ".so");
}

CheckReport check_file(const fs::path& file, std::uint64_t seed, std::chrono::milliseconds time_max,
                       bool with_previous = false) {
  CheckOptions options;
  if (with_previous) options.previous = file_of("good");
  options.state_conflicts = state_schema_conflicts;
  options.child_command = {WEIR_ZOO_CHECK_CHILD};
  options.seed = seed;
  options.time_max = time_max;
  auto report = check_plugin(file, options);
  REQUIRE_MESSAGE(report, report.error().message);
  return *std::move(report);
}

CheckReport check(std::string_view name, std::uint64_t seed = 1, bool with_previous = false) {
  const bool one_check = name.find("hangs") != std::string_view::npos;
  const bool every_check = name == "hangs_on_message" || name == "slow";
  const int seconds = every_check ? 1 : one_check ? 3 : 60;
  return check_file(file_of(name), seed, std::chrono::seconds(seconds), with_previous);
}

std::string shown(const CheckReport& report) {
  static constexpr std::string_view marks[] = {"pass", "warn", "FAIL", "CRASH"};
  std::string out;
  for (const CheckResult& result : report.results) {
    out += fmt::format("{} {}: {}\n", marks[static_cast<std::size_t>(result.status)], result.name,
                       result.text);
  }
  return out;
}

}  // namespace

TEST_CASE("zoo: the table names every bad plugin and no other") {
  std::set<std::string> files;
  for (const auto& entry : fs::directory_iterator(WEIR_ZOO_SOURCES)) {
    files.insert(entry.path().stem().string());
  }
  std::set<std::string> table;
  for (const Inmate& inmate : zoo) table.insert(std::string(inmate.name));

  CHECK(files == table);
  CHECK(std::size(zoo) == table.size());
}

TEST_CASE("zoo: the good plugin passes every step") {
  const CheckReport report = check("good");

  INFO(shown(report));
  CHECK(report.passed());
  CHECK(report.count(CheckStatus::warn) == 0);
  CHECK(report.results.size() == 22);
}

TEST_CASE("zoo: what only the build before shows passes every check that does not know it") {
  for (const Inmate& inmate : zoo) {
    if (!needs_previous(inmate.step)) continue;
    CAPTURE(inmate.name);
    const CheckReport report = check(inmate.name);
    INFO(shown(report));
    CHECK(report.passed());
    CHECK(report.results.size() == 22);
  }
}

TEST_CASE("zoo: the good plugin goes over to itself and back") {
  const CheckReport report = check("good", 1, true);

  INFO(shown(report));
  CHECK(report.passed());
  CHECK(report.count(CheckStatus::warn) == 0);
  CHECK(report.results.size() == 25);
}

TEST_CASE("zoo: a build before that is no plugin is told") {
  CheckOptions options;
  options.child_command = {WEIR_ZOO_CHECK_CHILD};
  options.state_conflicts = state_schema_conflicts;
  options.previous = file_of("not_elf");
  const auto none = check_plugin(file_of("good"), options);
  REQUIRE_FALSE(none);
  CHECK(none.error().message.find("not_elf.so") != std::string::npos);
}

TEST_CASE("zoo: every sample plugin passes every step") {
  std::istringstream samples(WEIR_SAMPLE_PLUGINS);
  int count = 0;
  for (std::string sample; std::getline(samples, sample, ':'); ++count) {
    const CheckReport report = check_file(sample, 1, std::chrono::seconds(60));
    INFO(sample);
    INFO(shown(report));
    CHECK(report.passed());
    CHECK(report.count(CheckStatus::warn) == 0);
  }
  CHECK(count == 6);
}

TEST_CASE("zoo: the lint refuses what it can see with the reason and the file's name") {
  for (const Inmate& inmate : zoo) {
    if (inmate.step != Step::lint) continue;
    CAPTURE(inmate.name);
    const auto file = read_plugin_file(file_of(inmate.name));
    REQUIRE_FALSE(file);
    const std::string& message = file.error().message;
    CAPTURE(message);
    CHECK(file.error().code == Errc::refused);
    CHECK(message.find(inmate.reason) != std::string::npos);
    CHECK(message.find(fmt::format("{}: ", inmate.rule)) != std::string::npos);
    CHECK(message.find(fmt::format("{}.so", inmate.name)) != std::string::npos);
    // The copy is not made and nothing is loaded.
    const weir::test::TempDir directory;
    const auto plugin = Plugin::load(file_of(inmate.name), directory / "copies");
    REQUIRE_FALSE(plugin);
    CHECK(plugin.error().message == message);
    CHECK_FALSE(fs::exists(directory / "copies"));
  }
}

TEST_CASE("zoo: nothing else is refused by the lint") {
  for (const Inmate& inmate : zoo) {
    if (inmate.step == Step::lint) continue;
    CAPTURE(inmate.name);
    const auto file = read_plugin_file(file_of(inmate.name));
    CHECK_MESSAGE(file, (file ? "" : file.error().message));
  }
}

TEST_CASE("zoo: loading refuses a bad table and unmaps the file again") {
  for (const Inmate& inmate : zoo) {
    if (inmate.step != Step::load) continue;
    CAPTURE(inmate.name);
    const weir::test::TempDir directory;
    const auto plugin = Plugin::load(file_of(inmate.name), directory / "copies");
    REQUIRE_FALSE(plugin);
    CAPTURE(plugin.error().message);
    CHECK(plugin.error().code == Errc::refused);
    CHECK(plugin.error().message.find(inmate.reason) != std::string::npos);
    CHECK(fs::is_empty(directory / "copies"));
  }
}

TEST_CASE("zoo: the check finds every bad plugin out at its step") {
  for (const Inmate& inmate : zoo) {
    // Without an allocator that looks, whatever comes of it comes by chance.
    if (!heap_is_checked && inmate.name == std::string_view("smashes_heap")) continue;
    CAPTURE(inmate.name);
    const CheckReport report = check(inmate.name, 1, needs_previous(inmate.step));
    INFO(shown(report));
    if (inmate.step == Step::run) {
      CHECK(report.passed());
      continue;
    }
    CHECK_FALSE(report.passed());
    const auto found = std::ranges::find_if(report.results, [&](const CheckResult& result) {
      return result.name == inmate.rule && result.status >= CheckStatus::fail;
    });
    REQUIRE(found != report.results.end());
    CHECK(found->status == (crashes(inmate.step) ? CheckStatus::crash : CheckStatus::fail));
    if (!crashes(inmate.step) || !sanitized) {
      CHECK(found->text.find(inmate.reason) != std::string::npos);
    }
  }
}

TEST_CASE("zoo: the checks after a crash still run") {
  const CheckReport report = check("crash_on_garbage_record");

  INFO(shown(report));
  CHECK(report.count(CheckStatus::crash) >= 1);
  CHECK(report.results.back().name == "unloading");
  CHECK(report.results.back().status == CheckStatus::pass);
}

TEST_CASE("zoo: one seed finds the same twice and the crash names it") {
  const CheckReport first = check("crash_on_garbage_state", 42);
  const CheckReport second = check("crash_on_garbage_state", 42);

  CHECK(first.seed == 42);
  CHECK(shown(first).find("--seed 42") != std::string::npos);
  CHECK(first.results.size() == second.results.size());
}

}  // namespace weir::host
