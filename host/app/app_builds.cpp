#include "app/app_builds.hpp"

#include <algorithm>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>

namespace weir::host {

namespace {

constexpr std::string_view every_output = "*";  // options.proto, scalar_key of Resolver.to

Format to_format(const config::v1::Source& source) {
  Format format;
  switch (source.format()) {
    case config::v1::PROTOBUF:
      format.kind = Format::Kind::protobuf;
      break;
    case config::v1::TEXT:
      format.kind = Format::Kind::text;
      break;
    case config::v1::BYTES:
      format.kind = Format::Kind::bytes;
      break;
    default:
      format.kind = Format::Kind::json;
  }
  format.ignore_unknown_fields = source.unknown_fields() == config::v1::IGNORE;
  format.required.assign(source.required().begin(), source.required().end());
  if (source.framing() == config::v1::CONFLUENT) format.framing = Format::Framing::confluent;
  format.schema_ids.assign(source.schema_ids().begin(), source.schema_ids().end());
  return format;
}

/// The sink that an output goes to; null: it is not wanted.
const std::string* sink_of(const config::v1::Resolver& resolver, const std::string& output) {
  const auto named = resolver.to().find(output);
  if (named != resolver.to().end()) return &named->second;
  const auto every = resolver.to().find(std::string(every_output));
  return every != resolver.to().end() ? &every->second : nullptr;
}

/// What a build offers for the app's resolver `name`.
const Manifest::Resolver& offer_of(const Config& config, const std::string& name,
                                   const Manifest& manifest) {
  return *manifest.find(split_use(config.app().resolvers().at(name).use()).resolver);
}

FindType types_of(const Plugin& plugin) {
  return [&plugin](const std::string& type) { return plugin.message(type); };
}

}  // namespace

Use split_use(const std::string& use) {
  const std::size_t slash = use.find('/');
  return {use.substr(0, slash), use.substr(slash + 1)};
}

namespace {

/// From here on a crash in its code is known to be that of this build.
void make_known(Journal& journal, Plugin& plugin) {
  const std::uint16_t number = journal.add_generation({.plugin = plugin.manifest().plugin,
                                                       .version = plugin.manifest().version,
                                                       .sha256 = plugin.file().sha256,
                                                       .build_id = plugin.file().build_id},
                                                      plugin.copy_path());
  plugin.set_generation(number, [&journal, number] { journal.remove_generation(number); });
}

}  // namespace

Result<std::shared_ptr<Plugin>> load_plugin(const std::filesystem::path& file,
                                            const std::string& name,
                                            const std::filesystem::path& copies, Logger& logger,
                                            Journal* journal) {
  const auto log = [&logger, area = "plugin " + name](LogLevel level, std::string_view text) {
    logger.write(level, area, text);
  };
  JournalLine nobody;
  JournalLine& line = journal == nullptr ? nobody : journal->control();
  if (journal != nullptr) journal->set_control_subject(file.string());
  line.set_record(0, 0);
  line.set_key({});
  line.set_thread();
  std::optional<JournalCall> noted(std::in_place, line, Slot::load, std::uint16_t{0},
                                   std::uint16_t{0});
  WEIR_TRY(auto plugin, Plugin::load(file, copies, {.log = log}));
  noted.reset();
  if (journal != nullptr) make_known(*journal, *plugin);
  logger.info("resolve", "plugin {} {} ({}, sha256 {:.12})", plugin->manifest().plugin,
              plugin->manifest().version, file.filename().string(), plugin->file().sha256);
  return plugin;
}

Result<std::string> settings_of(const Config& config, const std::string& name,
                                const Manifest::Resolver& offer, const FindType& type) {
  if (offer.settings_type.empty()) return std::string{};
  google::protobuf::DynamicMessageFactory factory;
  const std::unique_ptr<google::protobuf::Message> message(
      factory.GetPrototype(type(offer.settings_type))->New());
  WEIR_CHECK(config.bind_settings(name, message.get()));
  return message->SerializeAsString();
}

Result<std::string> settings_of(const Config& config, const std::string& name,
                                const Plugin& plugin) {
  return settings_of(config, name, offer_of(config, name, plugin.manifest()), types_of(plugin));
}

Result<std::unique_ptr<Decoder>> decoder_of(const Config& config, const std::string& name,
                                            const Manifest::Resolver& offer, const FindType& type) {
  const config::v1::App& app = config.app();
  return make_decoder(to_format(app.sources().at(app.resolvers().at(name).from())),
                      offer.message_type.empty() ? nullptr : type(offer.message_type));
}

Result<std::unique_ptr<Decoder>> decoder_of(const Config& config, const std::string& name,
                                            const Plugin& plugin) {
  return decoder_of(config, name, offer_of(config, name, plugin.manifest()), types_of(plugin));
}

std::vector<ResolverOutput> outputs_of(const Config& config, const std::string& name,
                                       const Plugin& plugin,
                                       const std::vector<std::string>& sink_names) {
  const config::v1::App& app = config.app();
  std::vector<ResolverOutput> outputs;
  for (const Manifest::Feature& feature : offer_of(config, name, plugin.manifest()).features) {
    ResolverOutput& output = outputs.emplace_back();
    const std::string* sink = sink_of(app.resolvers().at(name), feature.name);
    if (sink == nullptr) continue;
    output.sink = static_cast<std::uint16_t>(
        std::find(sink_names.begin(), sink_names.end(), *sink) - sink_names.begin());
    if (app.sinks().at(*sink).format() == config::v1::JSON) {
      output.printer = std::make_unique<MessagePrinter>(plugin.message(feature.type));
    }
  }
  return outputs;
}

std::vector<ResolverSchema> schemas_of(const Task& task, const Manifest& manifest,
                                       const FindType& type) {
  std::vector<ResolverSchema> schemas;
  for (const TaskResolver& resolver : task.options().resolvers) {
    const Use use = split_use(resolver.use);
    if (use.plugin != manifest.plugin) continue;
    const Manifest::Resolver& offered = *manifest.find(use.resolver);
    schemas.push_back({resolver.name, "", resolver.use, manifest.version,
                       offered.state_type.empty() ? nullptr : type(offered.state_type),
                       offered.state_version, offered.state_readable_by, offered.timers});
  }
  return schemas;
}

std::vector<ResolverSchema> schemas_of(const Task& task, const Plugin& plugin) {
  return schemas_of(task, plugin.manifest(), types_of(plugin));
}

Result<TaskBuilds> builds_of(const Config& config, const Task& task,
                             const std::shared_ptr<Plugin>& plugin) {
  const TaskOptions& options = task.options();
  TaskBuilds builds;
  for (std::size_t i = 0; i < options.resolvers.size(); ++i) {
    const TaskResolver& resolver = options.resolvers[i];
    const Use use = split_use(resolver.use);
    if (use.plugin != plugin->manifest().plugin) continue;
    const Manifest::Resolver& manifest = *plugin->manifest().find(use.resolver);
    ResolverBuild& build = builds.resolvers.emplace_back();
    build.resolver = i;
    build.plugin = plugin;
    build.outputs = outputs_of(config, resolver.name, *plugin, options.sink_names);
    WEIR_TRY(const std::string settings, settings_of(config, resolver.name, *plugin));
    WEIR_TRY(build.instance, ResolverInstance::create(plugin, use.resolver, settings,
                                                      {options.journal, options.control_journal,
                                                       resolver.journal_number}));
    const std::string key = decoder_key(*plugin, manifest.message_type);
    if (std::ranges::find(builds.decoders, key, &KeyedDecoder::key) != builds.decoders.end()) {
      continue;
    }
    WEIR_TRY(auto decoder, decoder_of(config, resolver.name, *plugin));
    builds.decoders.push_back(
        {key, std::make_unique<SourceDecoder>(std::move(decoder), manifest.message_type.empty(),
                                              options.source.input)});
  }
  if (builds.resolvers.empty()) return builds;
  WEIR_TRY(builds.registration,
           task.check_builds(schemas_of(task, *plugin), TaskStore::Ways::back));
  return builds;
}

}  // namespace weir::host
