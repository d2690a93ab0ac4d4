#include <weir/test_driver.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <google/protobuf/descriptor.h>
#include <unistd.h>

#include "app/app.hpp"
#include "commit/state_reader.hpp"
#include "decode/message_printer.hpp"
#include "log/memory_log.hpp"
#include "publish/outbox.hpp"

namespace weir {

namespace {

using namespace host;  // everything but the class itself

/// 2026-01-01T00:00:00Z: the clock of every driver starts there.
constexpr std::int64_t start_of_time_ms = 1'767'225'600'000;
constexpr std::int64_t never_ms = std::int64_t{1} << 60;
constexpr std::string_view no_app_file = "app of the TestDriver";

template <typename T>
T or_throw(Result<T> result) {
  if (!result) throw TestDriverError(result.error().message);
  return *std::move(result);
}
void or_throw(const Result<void>& result) {
  if (!result) throw TestDriverError(result.error().message);
}

std::filesystem::path plugin_path(std::string_view plugin) {
  const char* directory = std::getenv("WEIR_PLUGIN_DIR");
  if (directory == nullptr) {
    throw TestDriverError(
        "WEIR_PLUGIN_DIR is not set: run the test through ctest (weir_add_plugin_test() sets it), "
        "or set it to the directory of " +
        std::string(plugin) + ".so");
  }
  return std::filesystem::path(directory) / (std::string(plugin) + ".so");
}

/// An app that runs every resolver of a plugin on one input.
std::string default_yaml(const PluginFile& plugin) {
  std::string sources;
  std::string resolvers;
  std::string sinks;
  std::set<std::string> kinds;
  for (const Manifest::Resolver& resolver : plugin.manifest.resolvers) {
    const bool takes_bytes = resolver.message_type.empty();
    const std::string source = takes_bytes ? "input-bytes" : "input";
    if (kinds.insert(source).second) {
      sources += fmt::format("  {0}: {{topic: {0}, format: {1}}}\n", source,
                             takes_bytes ? "bytes" : "json");
    }
    resolvers += fmt::format("  {}: {{use: {}/{}, from: {}", resolver.name, plugin.manifest.plugin,
                             resolver.name, source);
    if (!resolver.features.empty()) {
      resolvers += ", to: {";
      for (const Manifest::Feature& feature : resolver.features) {
        const std::string sink = resolver.features.size() == 1
                                     ? resolver.name
                                     : fmt::format("{}-{}", resolver.name, feature.name);
        resolvers += fmt::format("{}: {}, ", feature.name, sink);
        sinks += fmt::format("  {0}: {{topic: sink-{0}}}\n", sink);
      }
      resolvers.resize(resolvers.size() - 2);
      resolvers += "}";
    }
    resolvers += "}\n";
  }
  return fmt::format("app: test\nplugins: [{}]\nsources:\n{}resolvers:\n{}{}",
                     plugin.path.filename().string(), sources, resolvers,
                     sinks.empty() ? "" : "sinks:\n" + sinks);
}

Config load_config(std::string_view plugin, std::string_view yaml) {
  if (!yaml.empty()) {
    return or_throw(Config::parse(std::string(yaml), std::string(no_app_file)));
  }
  if (const char* path = std::getenv("WEIR_APP"); path != nullptr && *path != '\0') {
    return or_throw(Config::load(path));
  }
  const PluginFile file = or_throw(read_plugin_file(plugin_path(plugin)));
  return or_throw(Config::parse(default_yaml(file), std::string(no_app_file)));
}

std::filesystem::path make_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "weir-test-driver-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw TestDriverError("cannot make the directory " + name);
  return name;
}

struct Directory {
  std::filesystem::path path = make_directory();
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

std::optional<std::string> owned(const MaybeBytes& bytes) {
  return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
}

}  // namespace

struct TestDriver::Impl {
  explicit Impl(Config app_config) : config(std::move(app_config)) {}

  Directory directory;
  Config config;
  MemoryLog log;
  ManualClock clock{start_of_time_ms};
  Logger logger{Logger::Format::human, LogLevel::warn};
  std::unique_ptr<App> app;
  Counters counters_before;  // of runs that have crashed
  std::map<std::string, std::map<std::string, const google::protobuf::Descriptor*>> types_of_sink;
  std::vector<std::shared_ptr<Plugin>> plugins;  // keeps the descriptors while the app is down
  Reloader* reloader = nullptr;                  // the app's, from the first reload on

  void prepare_config(std::string_view plugin) {
    config::v1::App& app_config = config.mutable_app();
    for (std::string& path : *app_config.mutable_plugins()) {
      const std::string stem = std::filesystem::path(path).stem().string();
      const std::filesystem::path built = plugin_path(stem);
      if (stem == plugin || std::filesystem::exists(built)) {
        path = std::filesystem::absolute(built).string();
      }
    }
    for (auto& [name, sink] : *app_config.mutable_sinks()) {
      if (sink.kind_case() != config::v1::Sink::kTopic) sink.set_topic("test-driver." + name);
    }
    app_config.mutable_state()->mutable_commit()->set_interval(never_ms);
  }

  void open() {
    app = or_throw(App::open(
        config,
        {.state = directory.path / "state", .log = &log, .own_threads = false, .sync = false},
        clock, logger));
    learn_types();
  }

  void learn_types() {
    plugins = app->plugins();
    types_of_sink.clear();
    for (const auto& [name, resolver] : config.app().resolvers()) {
      const std::size_t slash = resolver.use().find('/');
      for (const auto& plugin : plugins) {
        if (plugin->manifest().plugin != resolver.use().substr(0, slash)) continue;
        const Manifest::Resolver& manifest =
            *plugin->manifest().find(resolver.use().substr(slash + 1));
        for (const Manifest::Feature& feature : manifest.features) {
          for (const std::string& output : {feature.name, std::string("*")}) {
            const auto to = resolver.to().find(output);
            if (to == resolver.to().end()) continue;
            types_of_sink[to->second][feature.type] = plugin->message(feature.type);
            break;
          }
        }
      }
    }
  }

  void replace(const ReloadRequest& request) {
    running();
    if (reloader == nullptr) {
      reloader = or_throw(app->open_reloader({.state = {},
                                              .probation = {.time_ms = never_ms},
                                              .turn_tasks = [this] { turn(); },
                                              .after_step = {}}));
    }
    const ReloadAnswer answer = reloader->run(request);
    if (const auto* refusal = std::get_if<Refusal>(&answer)) {
      throw TestDriverError(fmt::format("refused at the step {} ({}): {}", name_of(refusal->step),
                                        name_of(refusal->code), refusal->text));
    }
    learn_types();
    turn();
    reloader->turn();
  }

  void close() {
    reloader = nullptr;
    for (const Task* task : app->tasks()) counters_before += task->counters();
    app.reset();
  }

  App& running() {
    if (app == nullptr) throw TestDriverError("the host has crashed: recover() starts it again");
    return *app;
  }

  void turn() {
    for (bool worked = true; worked;) {
      worked = false;
      for (Task* task : running().tasks()) worked |= task->turn() == Task::Turn::worked;
    }
  }

  const config::v1::Source& source(std::string_view name) const {
    const auto found = config.app().sources().find(std::string(name));
    if (found == config.app().sources().end()) {
      std::string known;
      for (const auto& [one, unused] : config.app().sources()) known += " " + one;
      throw TestDriverError("the app has no source \"" + std::string(name) + "\"; it has" + known);
    }
    return found->second;
  }

  void append(std::string_view source_name, MaybeBytes value, const Envelope& envelope) {
    running();
    const std::string& topic = source(source_name).topic();
    const TopicInfo info = *or_throw(log.topic(topic));
    std::int32_t partition = 0;
    if (envelope.partition) {
      partition = *envelope.partition;
      if (partition < 0 || partition >= info.partition_count) {
        throw TestDriverError(fmt::format("topic {} has no partition {}: it has {}", topic,
                                          partition, info.partition_count));
      }
    } else if (envelope.key) {
      partition = partition_of(Partitioner::murmur2, *envelope.key, info.partition_count);
    }
    std::vector<Header> headers;
    for (const auto& [name, text] : envelope.headers) headers.push_back({name, text});
    NewRecord record;
    record.topic = topic;
    record.partition = partition;
    if (envelope.key) record.key = *envelope.key;
    record.value = value;
    record.headers = headers;
    record.timestamp_ms = envelope.timestamp_ms.value_or(clock.wall_ms());
    or_throw(log.append({&record, 1}));
    turn();
  }

  const google::protobuf::Descriptor* message_type(const std::string& name) const {
    for (const auto& plugin : plugins) {
      if (const auto* type = plugin->message(name); type != nullptr) return type;
    }
    throw TestDriverError("no plugin of the app knows the type " + name);
  }

  /// Everything that went to a sink, then what the open commit holds for it.
  void visit_sink(const std::string& sink, const std::string& topic,
                  const std::function<void(const Record&)>& visit) {
    const std::optional<TopicInfo> info = or_throw(log.topic(topic));
    for (std::int32_t partition = 0; info && partition < info->partition_count; ++partition) {
      const TopicPartition input{topic, partition};
      const auto reader = or_throw(log.open_reader(input, or_throw(log.offsets(input)).begin));
      while (true) {
        const auto records = or_throw(reader->fetch({}));
        if (records.empty()) break;
        for (const Record& record : records) visit(record);
      }
    }
    if (app == nullptr) return;
    for (const Task* task : app->tasks()) {
      for (const std::string_view chunk : task->open_outbox()) {
        or_throw(read_outbox(chunk, [&](std::string_view name, const OutboxEntry& entry) {
          if (name == sink) {
            visit(Record{entry.key, entry.value, entry.headers, -1, entry.timestamp_ms});
          }
          return Result<void>{};
        }));
      }
    }
  }

  std::vector<std::string> resolvers_named(std::string_view resolver) const {
    if (!resolver.empty()) {
      if (!config.app().resolvers().contains(std::string(resolver))) {
        throw TestDriverError("the app has no resolver \"" + std::string(resolver) + "\"");
      }
      return {std::string(resolver)};
    }
    std::vector<std::string> stateful;
    for (const auto& [name, use] : config.app().resolvers()) {
      const std::size_t slash = use.use().find('/');
      for (const auto& plugin : plugins) {
        if (plugin->manifest().plugin != use.use().substr(0, slash)) continue;
        const auto* manifest = plugin->manifest().find(use.use().substr(slash + 1));
        if (manifest != nullptr && !manifest->state_type.empty()) stateful.push_back(name);
      }
    }
    return stateful;
  }

  /// The State of a key and the resolver that it belongs to.
  std::optional<StateReader::Entry> find_state(std::string_view key, std::string_view resolver) {
    std::vector<StateReader::Entry> found;
    for (const std::string& name : resolvers_named(resolver)) {
      if (app == nullptr) {
        const auto reader = or_throw(StateReader::open(directory.path / "state"));
        for (auto& entry : or_throw(reader->get(name, key))) found.push_back(std::move(entry));
        continue;
      }
      for (Task* task : app->tasks()) {
        std::optional<std::string> bytes = or_throw(task->state(name, key));
        if (!bytes) continue;
        StateReader::Entry entry;
        entry.resolver = name;
        entry.key = key;
        entry.bytes = std::move(*bytes);
        found.push_back(std::move(entry));
      }
    }
    if (found.size() > 1) {
      throw TestDriverError("key \"" + std::string(key) +
                            "\" has State in several resolvers; name the one that is meant");
    }
    if (found.empty()) return std::nullopt;
    return found.front();
  }
};

TestDriver::TestDriver(std::string_view plugin) : TestDriver(plugin, {}) {}

TestDriver::TestDriver(std::string_view plugin, std::string_view app_yaml)
    : impl_(std::make_unique<Impl>(load_config(plugin, app_yaml))) {
  impl_->prepare_config(plugin);
  impl_->open();
}

TestDriver::~TestDriver() = default;

void TestDriver::pipe(std::string_view source, std::string_view value, const Envelope& envelope) {
  impl_->append(source, value, envelope);
}

void TestDriver::pipe(std::string_view source, const google::protobuf::MessageLite& message,
                      const Envelope& envelope) {
  std::string value;
  if (!message.SerializeToString(&value)) {
    throw TestDriverError("a message of type " + message.GetTypeName() + " is not complete");
  }
  switch (impl_->source(source).format()) {
    case config::v1::JSON:
      value = or_throw(MessagePrinter(impl_->message_type(message.GetTypeName())).print(value));
      break;
    case config::v1::PROTOBUF:
      break;
    default:
      throw TestDriverError("source " + std::string(source) + " takes neither json nor protobuf");
  }
  impl_->append(source, std::string_view(value), envelope);
}

void TestDriver::pipe_null(std::string_view source, const Envelope& envelope) {
  impl_->append(source, std::nullopt, envelope);
}

void TestDriver::advance(std::chrono::milliseconds time) {
  // From one deadline to the next, as time passes in the host: each timer at its own time.
  const std::int64_t end_ms = impl_->clock.steady_ms() + time.count();
  impl_->turn();
  while (true) {
    const std::int64_t now_ms = impl_->clock.steady_ms();
    std::int64_t next_ms = end_ms;
    for (const Task* task : impl_->running().tasks()) {
      const std::int64_t deadline_ms = task->next_deadline_ms();
      if (!task->halted() && deadline_ms > now_ms) next_ms = std::min(next_ms, deadline_ms);
    }
    impl_->clock.advance(next_ms - now_ms);
    impl_->turn();
    if (next_ms == end_ms) return;
  }
}

void TestDriver::commit() {
  for (Task* task : impl_->running().tasks()) task->commit_and_wait();
}

void TestDriver::reload(std::string_view plugin) {
  ReloadRequest request;
  request.file = plugin_path(plugin);
  request.plugin = or_throw(read_plugin_file(request.file)).manifest.plugin;
  impl_->replace(request);
}

void TestDriver::rollback(std::string_view plugin) {
  ReloadRequest request;
  request.what = ReloadRequest::What::rollback;
  request.plugin = plugin;
  impl_->replace(request);
}

void TestDriver::crash() {
  impl_->running();
  impl_->close();
}

void TestDriver::recover() {
  if (impl_->app != nullptr) throw TestDriverError("recover() needs a crash() first");
  impl_->open();
  impl_->turn();
}

void TestDriver::redeliver(std::string_view source, int count) {
  impl_->running();
  const std::string& topic = impl_->source(source).topic();
  const TopicInfo info = *or_throw(impl_->log.topic(topic));
  struct Copy {
    std::int64_t offset;
    std::int32_t partition;
    std::optional<std::string> key;
    std::optional<std::string> value;
    Envelope envelope;
  };
  std::vector<Copy> copies;
  for (std::int32_t partition = 0; partition < info.partition_count; ++partition) {
    const TopicPartition input{topic, partition};
    const auto reader =
        or_throw(impl_->log.open_reader(input, or_throw(impl_->log.offsets(input)).begin));
    while (true) {
      const auto records = or_throw(reader->fetch({}));
      if (records.empty()) break;
      for (const Record& record : records) {
        Envelope envelope{owned(record.key), record.timestamp_ms, {}, partition};
        for (const Header& header : record.headers) {
          envelope.headers.emplace_back(header.name, header.value.value_or(""));
        }
        copies.push_back({record.offset, partition, owned(record.key), owned(record.value),
                          std::move(envelope)});
      }
    }
  }
  std::stable_sort(copies.begin(), copies.end(), [](const Copy& a, const Copy& b) {
    return *a.envelope.timestamp_ms < *b.envelope.timestamp_ms;
  });
  const auto wanted = static_cast<std::ptrdiff_t>(count);
  if (wanted > std::ssize(copies)) {
    throw TestDriverError(
        fmt::format("topic {} has {} records, fewer than {}", topic, copies.size(), count));
  }
  for (auto copy = copies.end() - wanted; copy != copies.end(); ++copy) {
    impl_->append(source, copy->value ? MaybeBytes(*copy->value) : std::nullopt, copy->envelope);
  }
}

std::vector<std::string> TestDriver::feature_bytes(const std::string& type) const {
  std::vector<std::string> found;
  bool known = false;
  for (const auto& [sink, types] : impl_->types_of_sink) {
    const auto match = types.find(type);
    if (match == types.end()) continue;
    known = true;
    if (types.size() > 1) {
      throw TestDriverError("sink " + sink + " gets features of several types; use emitted()");
    }
    const config::v1::Sink& target = impl_->config.app().sinks().at(sink);
    std::unique_ptr<Decoder> from_json;
    if (target.format() == config::v1::JSON) {
      from_json = or_throw(make_decoder({.kind = Format::Kind::json}, match->second));
    }
    impl_->visit_sink(sink, target.topic(), [&](const Record& record) {
      Arena arena;
      const std::string_view value = record.value.value_or("");
      found.emplace_back(from_json ? or_throw(from_json->decode(value, arena)) : value);
    });
  }
  if (!known) throw TestDriverError("no sink of the app gets features of type " + type);
  return found;
}

std::vector<EmittedRecord> TestDriver::emitted() const {
  std::vector<EmittedRecord> found;
  for (const auto& [sink, types] : impl_->types_of_sink) {
    impl_->visit_sink(
        sink, impl_->config.app().sinks().at(sink).topic(), [&, name = sink](const Record& record) {
          found.push_back({name, owned(record.key), std::string(record.value.value_or("")),
                           record.timestamp_ms});
        });
  }
  return found;
}

bool TestDriver::has_state(std::string_view key, std::string_view resolver) const {
  return impl_->find_state(key, resolver).has_value();
}

std::string TestDriver::state_bytes(std::string_view key, std::string_view resolver) const {
  const auto entry = impl_->find_state(key, resolver);
  return entry ? entry->bytes : std::string();
}

std::string TestDriver::state_json(std::string_view key, std::string_view resolver) const {
  const auto entry = impl_->find_state(key, resolver);
  if (!entry) throw TestDriverError("key \"" + std::string(key) + "\" has no State");
  const std::string& use = impl_->config.app().resolvers().at(entry->resolver).use();
  const std::size_t slash = use.find('/');
  for (const auto& plugin : impl_->plugins) {
    if (plugin->manifest().plugin != use.substr(0, slash)) continue;
    const auto* manifest = plugin->manifest().find(use.substr(slash + 1));
    return or_throw(MessagePrinter(plugin->message(manifest->state_type)).print(entry->bytes));
  }
  throw TestDriverError("no plugin of the app has the resolver " + use);
}

std::vector<DeadLetterRecord> TestDriver::dead_letters() const {
  std::vector<DeadLetterRecord> found;
  impl_->visit_sink(std::string(dead_letter_sink), impl_->config.app().dead_letters().topic(),
                    [&](const Record& record) {
                      DeadLetterRecord letter;
                      letter.key = owned(record.key);
                      letter.value = owned(record.value);
                      for (const Header& header : record.headers) {
                        letter.headers[std::string(header.name)] = header.value.value_or("");
                      }
                      letter.error = letter.headers["weir.error"];
                      letter.reason = letter.headers["weir.reason"];
                      found.push_back(std::move(letter));
                    });
  return found;
}

std::uint64_t TestDriver::count(std::string_view outcome) const {
  Counters sum = impl_->counters_before;
  if (impl_->app != nullptr) {
    for (const Task* task : impl_->app->tasks()) sum += task->counters();
  }
  if (outcome == "records") return sum.records;
  if (outcome == "resolved") return sum.resolved;
  if (outcome == "skipped") return sum.skipped;
  if (outcome == "retries") return sum.retries;
  if (outcome == "fired") return sum.fired;
  for (std::size_t i = 0; i < sum.set_aside.size(); ++i) {
    if (outcome == name_of(static_cast<SetAside>(i))) return sum.set_aside[i];
  }
  throw TestDriverError("there is no count of \"" + std::string(outcome) + "\"");
}

std::uint64_t TestDriver::waiting() const {
  std::uint64_t sum = 0;
  for (const Task* task : impl_->running().tasks()) {
    TaskSnapshot now;
    task->snapshot(now);
    sum += now.parked_records();
  }
  return sum;
}

std::optional<std::string> TestDriver::halted() const {
  if (impl_->app == nullptr) return std::nullopt;
  const Error* halt = impl_->app->first_halt();
  return halt == nullptr ? std::nullopt : std::optional<std::string>(halt->message);
}

}  // namespace weir
