#include "app/app_schemas.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>

#include "config/suggest.hpp"
#include "decode/decoder.hpp"

namespace weir::host {
namespace {

namespace pb = google::protobuf;

/// `plugin/resolver`, whose form the configuration has checked.
struct Use {
  std::string plugin;
  std::string resolver;
};
Use split(const std::string& use) {
  const std::size_t slash = use.find('/');
  return {use.substr(0, slash), use.substr(slash + 1)};
}

Format::Kind kind_of(config::v1::Format format) {
  switch (format) {
    case config::v1::PROTOBUF:
      return Format::Kind::protobuf;
    case config::v1::TEXT:
      return Format::Kind::text;
    case config::v1::BYTES:
      return Format::Kind::bytes;
    default:
      return Format::Kind::json;
  }
}

/// Checks one resolver of the app against what its plugin offers.
class ResolverCheck {
 public:
  ResolverCheck(const Config& config, const std::string& name, const config::v1::Resolver& resolver,
                std::vector<Finding>& findings)
      : config_(config),
        path_("resolvers." + name),
        name_(name),
        resolver_(resolver),
        findings_(findings) {}

  void run(const AppSchemas& plugins) {
    const Use use = split(resolver_.use());
    const AppSchemas::File* file = plugins.plugin(use.plugin);
    if (file == nullptr) {
      std::vector<std::string> names;
      for (const AppSchemas::File& f : plugins.files()) names.push_back(f.file.manifest.plugin);
      return report("use", fmt::format("no plugin of this app is called \"{}\"", use.plugin),
                    suggestion(use.plugin, names, "plugins"));
    }
    const Manifest::Resolver* offered = file->file.manifest.find(use.resolver);
    if (offered == nullptr) {
      std::vector<std::string> names;
      for (const auto& r : file->file.manifest.resolvers) names.push_back(r.name);
      return report("use",
                    fmt::format("plugin {} has no resolver \"{}\"", use.plugin, use.resolver),
                    suggestion(use.resolver, names, "resolvers"));
    }
    check_outputs(*offered);
    check_format(*offered, *file);
    check_settings(*offered, *file);
  }

 private:
  void report(const std::string& key, const std::string& message, std::string hint) {
    const std::string at = path_ + "." + key;
    findings_.push_back(config_.at(at, at + ": " + message, std::move(hint)));
  }

  void check_outputs(const Manifest::Resolver& offered) {
    std::vector<std::string> names;
    for (const Manifest::Feature& feature : offered.features) names.push_back(feature.name);
    for (const auto& [output, sink] : resolver_.to()) {
      if (names.empty()) {
        report("to", fmt::format("{} emits no features", resolver_.use()), "remove it");
      } else if (output != "*" && std::find(names.begin(), names.end(), output) == names.end()) {
        report("to." + output, fmt::format("{} has no output \"{}\"", resolver_.use(), output),
               suggestion(output, names, "outputs"));
      }
    }
  }

  void check_format(const Manifest::Resolver& offered, const AppSchemas::File& file) {
    const config::v1::Source& source = config_.app().sources().at(resolver_.from());
    Format format;
    format.kind = kind_of(source.format());
    format.required.assign(source.required().begin(), source.required().end());
    const pb::Descriptor* message =
        offered.message_type.empty() ? nullptr : file.schemas.message(offered.message_type);
    if (const auto decoder = make_decoder(format, message); !decoder) {
      report("from", decoder.error().message, "");
    }
  }

  void check_settings(const Manifest::Resolver& offered, const AppSchemas::File& file) {
    if (offered.settings_type.empty()) {
      if (config_.has_settings(name_)) {
        report("settings", resolver_.use() + " takes no settings", "remove it");
      }
      return;
    }
    const pb::Descriptor* type = file.schemas.message(offered.settings_type);
    if (type == nullptr) return;  // the lint of the file has said so
    pb::DynamicMessageFactory factory;
    const std::unique_ptr<pb::Message> settings(factory.GetPrototype(type)->New());
    const auto more = config_.settings_findings(name_, settings.get());
    findings_.insert(findings_.end(), more.begin(), more.end());
  }

  const Config& config_;
  const std::string path_;
  const std::string& name_;
  const config::v1::Resolver& resolver_;
  std::vector<Finding>& findings_;
};

}  // namespace

AppSchemas AppSchemas::read(const Config& config, std::vector<Finding>& findings) {
  std::vector<std::filesystem::path> paths;
  for (const std::string& path : config.app().plugins()) paths.push_back(config.resolve_path(path));
  return read(config, paths, findings);
}

AppSchemas AppSchemas::read(const Config& config, const std::vector<std::filesystem::path>& paths,
                            std::vector<Finding>& findings) {
  AppSchemas out;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::string at = fmt::format("plugins.{}", i);
    auto file = read_plugin_file(paths[i]);
    if (!file) {
      findings.push_back(config.at(at, at + ": " + file.error().message, ""));
      continue;
    }
    for (const std::string& warning : file->warnings) {
      findings.push_back(config.at(at, at + ": " + warning, ""));
      findings.back().severity = Finding::Severity::warning;
    }
    if (out.plugin(file->manifest.plugin) != nullptr) {
      findings.push_back(config.at(
          at,
          fmt::format("{}: another plugin of this app is called {} too", at, file->manifest.plugin),
          "resolvers say plugin/resolver, so plugins need names of their own"));
      continue;
    }
    auto schemas = Schemas::parse(file->schemas);
    if (!schemas) {
      findings.push_back(config.at(at, at + ": " + schemas.error().message, ""));
      continue;
    }
    out.files_.push_back({*std::move(file), *std::move(schemas)});
  }
  return out;
}

AppSchemas AppSchemas::of(std::vector<PluginFile> files) {
  AppSchemas out;
  for (PluginFile& file : files) {
    auto schemas = Schemas::parse(file.schemas);
    if (schemas) out.files_.push_back({std::move(file), *std::move(schemas)});
  }
  return out;
}

const AppSchemas::File* AppSchemas::plugin(std::string_view name) const {
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [&](const File& f) { return f.file.manifest.plugin == name; });
  return found == files_.end() ? nullptr : &*found;
}

void AppSchemas::check(const Config& config, std::vector<Finding>& findings) const {
  // With a plugin unread every name would look wrong.
  if (static_cast<int>(files_.size()) != config.app().plugins_size()) return;
  for (const auto& [name, hash] : config.app().pins()) {
    if (plugin(name) != nullptr) continue;
    std::vector<std::string> names;
    for (const File& file : files_) names.push_back(file.file.manifest.plugin);
    const std::string at = "pins." + name;
    findings.push_back(config.at(at, fmt::format("{}: the app has no plugin \"{}\"", at, name),
                                 suggestion(name, names, "plugins")));
  }
  for (const auto& [name, resolver] : config.app().resolvers()) {
    ResolverCheck(config, name, resolver, findings).run(*this);
  }
}

void AppSchemas::check_pins(const Config& config, std::vector<Finding>& findings) const {
  for (const auto& [name, pinned] : config.app().pins()) {
    const File* found = plugin(name);
    if (found == nullptr || found->file.sha256 == pinned) continue;
    const std::string at = "pins." + name;
    findings.push_back(config.at(
        at,
        fmt::format("{}: {} has the sha256 {}", at, found->file.path.string(), found->file.sha256),
        "a start would refuse it; put the pinned file there, or pin this "
        "one"));
  }
}

const pb::Descriptor* AppSchemas::type_of_topic(const Config& config,
                                                std::string_view topic) const {
  std::set<std::string> sinks;
  for (const auto& [name, sink] : config.app().sinks()) {
    if (sink.topic() == topic && sink.format() == config::v1::PROTOBUF) sinks.insert(name);
  }
  std::set<const pb::Descriptor*> types;
  for (const auto& [name, resolver] : config.app().resolvers()) {
    const Use use = split(resolver.use());
    const File* file = plugin(use.plugin);
    const Manifest::Resolver* offered =
        file == nullptr ? nullptr : file->file.manifest.find(use.resolver);
    if (offered == nullptr) continue;
    const auto source = config.app().sources().find(resolver.from());
    const bool reads = source != config.app().sources().end() && source->second.topic() == topic &&
                       source->second.format() == config::v1::PROTOBUF;
    if (reads && !offered->message_type.empty()) {
      types.insert(file->schemas.message(offered->message_type));
    }
    for (const auto& [output, sink] : resolver.to()) {
      if (!sinks.contains(sink)) continue;
      for (const Manifest::Feature& feature : offered->features) {
        if (output != "*" && output != feature.name) continue;
        types.insert(file->schemas.message(feature.type));
      }
    }
  }
  types.erase(nullptr);
  return types.size() == 1 ? *types.begin() : nullptr;
}

}  // namespace weir::host
