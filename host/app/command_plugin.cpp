#include "app/command_plugin.hpp"

#include <array>
#include <utility>

#include "commit/schema_check.hpp"
#include "resolve/plugin_check.hpp"

namespace weir::host {
namespace {

/// A line of its own under the name of the thing, as deep as the text that follows the name.
void print_entry(std::string_view name, std::string_view text) {
  constexpr int name_width = 18;
  bool first = true;
  while (first || !text.empty()) {
    const std::size_t end = text.find('\n');
    print_line(fmt::format("{:<{}} {}", first ? name : "", name_width, text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    first = false;
  }
}

std::string_view mark(CheckStatus status) {
  static constexpr std::array<std::string_view, 4> marks = {"✓", "!", "✗", "☠"};
  return marks[static_cast<std::size_t>(status)];
}

std::string_view word(CheckStatus status) {
  static constexpr std::array<std::string_view, 4> words = {"pass", "warn", "fail", "crash"};
  return words[static_cast<std::size_t>(status)];
}

void print_result(const CheckResult& result) {
  print_entry(fmt::format("{} {}", mark(result.status), result.name), result.text);
}

std::string json_of(const std::vector<CheckResult>& results) {
  std::string out = "[";
  for (const CheckResult& result : results) {
    out += fmt::format(R"({}{{"check":{},"status":"{}","text":{}}})", out.size() == 1 ? "" : ",",
                       json_string(result.name), word(result.status), json_string(result.text));
  }
  return out + "]";
}

/// The members of a JSON object that say which file it is.
std::string json_of(const PluginFile& file) {
  return fmt::format(
      R"("file":{},"size":{},"sha256":"{}","build_id":"{}","plugin":{},"version":{})",
      json_string(file.path.string()), file.size_bytes, file.sha256, file.build_id,
      json_string(file.manifest.plugin), json_string(file.manifest.version));
}

std::string json_or_null(const std::string& text) {
  return text.empty() ? "null" : json_string(text);
}

std::string json_of(const Manifest::Resolver& resolver) {
  std::string features;
  for (const Manifest::Feature& feature : resolver.features) {
    features += fmt::format(R"({}{{"name":{},"type":{}}})", features.empty() ? "" : ",",
                            json_string(feature.name), json_string(feature.type));
  }
  return fmt::format(
      R"({{"name":{},"message":{},"state":{},"state_version":{},"readable_by":{},"settings":{},"timers":{},"features":[{}]}})",
      json_string(resolver.name), json_or_null(resolver.message_type),
      json_or_null(resolver.state_type), resolver.state_version, resolver.state_readable_by,
      json_or_null(resolver.settings_type), resolver.timers, features);
}

void print_json(const InspectReport& report) {
  const Manifest& manifest = report.file.manifest;
  std::string resolvers;
  for (const Manifest::Resolver& resolver : manifest.resolvers) {
    resolvers += (resolvers.empty() ? "" : ",") + json_of(resolver);
  }
  print_line(fmt::format(
      R"({{{},"abi":"{}.{}","sdk":{},"protobuf":{},"resolvers":[{}],"loadable":{},"lint":{},"schemas":{}}})",
      json_of(report.file), manifest.abi_major, manifest.abi_minor,
      json_string(manifest.sdk_version), manifest.protobuf_version, resolvers, report.loadable,
      json_of(report.lint), json_string(report.schemas_text)));
}

std::string state_of(const Manifest::Resolver& resolver) {
  std::string out = fmt::format("{}, version {}", resolver.state_type, resolver.state_version);
  if (resolver.state_readable_by < resolver.state_version) {
    out += fmt::format(", readable by code of version {} on", resolver.state_readable_by);
  } else if (resolver.state_version > 1) {
    out += ", not readable by older code";
  }
  return out;
}

void print_text(const InspectReport& report) {
  const PluginFile& file = report.file;
  const Manifest& manifest = file.manifest;
  if (!manifest.plugin.empty()) {
    print_entry("plugin", fmt::format("{} {}", manifest.plugin, manifest.version));
  }
  print_entry("file", fmt::format("{} ({} B)", file.path.string(), file.size_bytes));
  print_entry("sha256", file.sha256);
  if (!file.build_id.empty()) print_entry("build id", file.build_id);
  if (!manifest.plugin.empty()) {
    print_entry("abi", fmt::format("{}.{}", manifest.abi_major, manifest.abi_minor));
    print_entry("sdk", manifest.sdk_version);
    print_entry("protobuf", manifest.protobuf_version == 0
                                ? "none"
                                : std::to_string(manifest.protobuf_version));
  }
  for (const Manifest::Resolver& resolver : manifest.resolvers) {
    print_entry("resolver", resolver.name);
    print_entry("  message",
                resolver.message_type.empty() ? "the record's bytes" : resolver.message_type);
    print_entry("  state", resolver.state_type.empty() ? "none" : state_of(resolver));
    if (!resolver.settings_type.empty()) print_entry("  settings", resolver.settings_type);
    if (resolver.timers) print_entry("  timers", "on the arrival clock");
    for (const Manifest::Feature& feature : resolver.features) {
      print_entry("  feature", fmt::format("{}: {}", feature.name, feature.type));
    }
  }
  for (const CheckResult& rule : report.lint) {
    if (rule.status != CheckStatus::pass) print_result(rule);
  }
  if (!report.schemas_text.empty()) {
    print_line("");
    std::string_view text = report.schemas_text;
    while (text.ends_with('\n')) text.remove_suffix(1);
    print_line(text);
  }
}

std::string summary(const CheckReport& report) {
  std::string out;
  const auto add = [&](CheckStatus status, std::string_view noun) {
    const std::size_t count = report.count(status);
    if (count > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, noun);
  };
  add(CheckStatus::fail, "failed");
  add(CheckStatus::crash, "crashed");
  add(CheckStatus::warn, "warned");
  add(CheckStatus::pass, "passed");
  return fmt::format("{} (seed {})", out, report.seed);
}

Result<CheckReport> check(const PluginOptions& options) {
  CheckOptions check;
  // The name in /proc stays right when the program's file is replaced while it runs.
  check.child_command = {"/proc/self/exe", std::string(plugin_check_child_word)};
  check.seed = options.seed;
  if (!options.previous.empty()) {
    check.previous = options.previous;
    check.state_conflicts = state_schema_conflicts;
  }
  for (const std::string& setting : options.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      return error(Errc::usage, "--settings needs RESOLVER=JSON, found \"{}\"", setting);
    }
    WEIR_TRY(const PluginFile file, read_plugin_file(options.file));
    const std::string resolver = setting.substr(0, equals);
    WEIR_TRY(check.settings[resolver],
             settings_from_json(file, resolver, std::string_view(setting).substr(equals + 1)));
  }
  return check_plugin(options.file, check);
}

}  // namespace

ExitCode command_plugin_inspect(const PluginOptions& options) {
  const auto report = inspect_plugin(options.file);
  if (!report) return fail(report.error());
  if (options.format == OutputFormat::json) {
    print_json(*report);
  } else {
    print_text(*report);
  }
  return report->loadable ? ExitCode::ok : ExitCode::refused;
}

ExitCode command_plugin_check(const PluginOptions& options) {
  const auto report = check(options);
  if (!report) return fail(report.error());
  if (options.format == OutputFormat::json) {
    print_line(fmt::format(R"({{{},"seed":"{}","passed":{},"results":{}}})", json_of(report->file),
                           report->seed, report->passed(), json_of(report->results)));
  } else {
    for (const CheckResult& result : report->results) print_result(result);
    print_line(summary(*report));
  }
  return report->passed() ? ExitCode::ok : ExitCode::failed;
}

int command_plugin_check_child(std::span<const std::string> arguments) {
  return run_check_child(arguments);
}

}  // namespace weir::host
