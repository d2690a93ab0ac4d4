#include "config/checks.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/listen_address.hpp"
#include "config/suggest.hpp"
#include "config/values.hpp"

namespace weir::host {
namespace {

/// Map fields of Protobuf in an order that does not change from run to run.
template <typename Map>
std::vector<std::string> sorted_names(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

class Checker {
 public:
  Checker(const Document& document, const config::v1::App& app,
          const std::filesystem::path& directory)
      : document_(document), app_(app), directory_(directory) {}

  std::vector<Finding> run() {
    check_plugins();
    check_pins();
    check_sources();
    check_sinks();
    check_dead_letters();
    check_resolvers();
    check_unused();
    check_state();
    check_admin();
    return std::move(findings_);
  }

 private:
  void report(std::string_view path, std::string message, std::string hint = {}) {
    findings_.push_back(
        make_finding(position_at(document_, path), std::move(message), std::move(hint)));
  }
  void warn(std::string_view path, std::string message, std::string hint = {}) {
    report(path, std::move(message), std::move(hint));
    findings_.back().severity = Finding::Severity::warning;
  }

  /// Whether the file itself says the value at `path`.
  bool written(std::string_view map, std::string_view name, std::string_view key) const {
    const Node* node = document_.root.find(map);
    if (node != nullptr) node = node->find(name);
    return node != nullptr && node->find(key) != nullptr;
  }

  /// A topic's name fits and belongs to one user only.
  void check_topic_use(const std::string& path, const std::string& topic) {
    if (topic.empty()) return;  // a mandatory one that is missing has been reported
    if (const auto fits = check_topic(topic); !fits) {
      report(path, fmt::format("{}: {}", path, fits.error().message));
    }
  }

  void check_plugins() {
    std::map<std::string, int> first;
    for (int i = 0; i < app_.plugins_size(); ++i) {
      const std::string file = (directory_ / app_.plugins(i)).lexically_normal().string();
      const auto [earlier, is_new] = first.emplace(file, i);
      if (is_new) continue;
      const int line = position_at(document_, fmt::format("plugins.{}", earlier->second)).line;
      report(fmt::format("plugins.{}", i),
             fmt::format("plugins.{}: {} is listed twice (first at line {})", i,
                         printable(app_.plugins(i), 512), line),
             "list a file once; its resolvers may serve under several names");
    }
  }

  void check_pins() {
    for (const std::string& name : sorted_names(app_.pins())) {
      const std::string& pin = app_.pins().at(name);
      const bool is_hex = std::ranges::all_of(
          pin, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
      if (is_hex && pin.size() == 64) continue;
      report("pins." + name,
             fmt::format("pins.{}: expected the sha256 of a file, 64 hex digits, found \"{}\"",
                         name, printable(pin, 80)),
             "write what `sha256sum` or `weir plugin inspect` prints");
    }
  }

  void check_sources() {
    for (const std::string& name : sorted_names(app_.sources())) {
      const config::v1::Source& source = app_.sources().at(name);
      const std::string path = "sources." + name;
      check_topic_use(path + ".topic", source.topic());
      const auto [earlier, is_new] = source_of_topic_.emplace(source.topic(), name);
      if (!is_new && !source.topic().empty()) {
        report(path + ".topic",
               fmt::format("{}.topic: sources.{} reads {} already", path, earlier->second,
                           source.topic()),
               "one source a topic; several resolvers may read it");
      }
      const bool is_json = source.format() == config::v1::JSON;
      const bool has_message = is_json || source.format() == config::v1::PROTOBUF;
      if (!is_json && written("sources", name, "unknown_fields")) {
        report(path + ".unknown_fields",
               path +
                   ".unknown_fields: only format: json has unknown "
                   "fields to refuse",
               "remove it");
      }
      if (!has_message && source.framing() == config::v1::CONFLUENT) {
        report(path + ".framing",
               path + ".framing: only formats with a message are framed (json, protobuf)",
               "remove it");
      }
      if (source.framing() != config::v1::CONFLUENT && source.schema_ids_size() > 0) {
        report(path + ".schema_ids", path + ".schema_ids: only framing: confluent has schema ids",
               "write framing: confluent, or remove it");
      }
      if (!has_message && source.required_size() > 0) {
        report(path + ".required",
               path + ".required: only formats with a message have fields (json, protobuf)",
               "remove it");
      }
    }
  }

  void check_sinks() {
    std::map<std::string, std::string> sink_of_file;
    std::map<std::string, std::string> sink_of_topic;
    for (const std::string& name : sorted_names(app_.sinks())) {
      const config::v1::Sink& sink = app_.sinks().at(name);
      const std::string path = "sinks." + name;
      if (sink.kind_case() == config::v1::Sink::KIND_NOT_SET) {
        if (document_.complete && !has_any_kind(name)) {
          report(path, path + " goes nowhere", "add topic: ..., file: ... or stdout: {}");
        }
        continue;
      }
      if (sink.format() == config::v1::TEXT || sink.format() == config::v1::BYTES) {
        report(path + ".format", path + ".format: features are messages", "write json or protobuf");
      }
      if (sink.has_topic()) {
        check_sink_topic(path, name, sink, sink_of_topic);
      } else {
        for (const std::string_view key : {"partitions", "partitioner"}) {
          if (!written("sinks", name, key)) continue;
          report(fmt::format("{}.{}", path, key),
                 fmt::format("{}.{}: only a topic has partitions", path, key), "remove it");
        }
      }
      if (sink.has_file()) check_sink_file(path, name, sink, sink_of_file);
      if (sink.has_stdout() && sink.format() == config::v1::PROTOBUF) {
        report(path + ".format", path + ".format: stdout takes lines", "write json");
      }
    }
  }

  bool has_any_kind(std::string_view name) const {
    return written("sinks", name, "topic") || written("sinks", name, "file") ||
           written("sinks", name, "stdout");
  }

  void check_sink_topic(const std::string& path, const std::string& name,
                        const config::v1::Sink& sink,
                        std::map<std::string, std::string>& sink_of_topic) {
    check_topic_use(path + ".topic", sink.topic());
    if (sink.topic().empty()) {
      report(path + ".topic", path + ".topic is empty");
      return;
    }
    if (const auto source = source_of_topic_.find(sink.topic()); source != source_of_topic_.end()) {
      report(path + ".topic",
             fmt::format("{}.topic: sources.{} reads {}; features would come back as records", path,
                         source->second, sink.topic()),
             "give the sink a topic of its own");
    }
    const auto [earlier, is_new] = sink_of_topic.emplace(sink.topic(), name);
    if (is_new) return;
    const config::v1::Sink& other = app_.sinks().at(earlier->second);
    if (other.partitions() != sink.partitions() || other.partitioner() != sink.partitioner()) {
      report(
          path + ".topic",
          fmt::format("{}.topic: sinks.{} writes {} with other partitions or another partitioner",
                      path, earlier->second, sink.topic()),
          "let both say the same");
    }
  }

  void check_sink_file(const std::string& path, const std::string& name,
                       const config::v1::Sink& sink,
                       std::map<std::string, std::string>& sink_of_file) {
    if (sink.file().empty()) {
      report(path + ".file", path + ".file is empty");
      return;
    }
    if (sink.format() == config::v1::PROTOBUF) {
      report(path + ".format", path + ".format: files take lines", "write json");
    }
    const std::string file = (directory_ / sink.file()).lexically_normal().string();
    const auto [earlier, is_new] = sink_of_file.emplace(file, name);
    if (is_new) return;
    report(path + ".file",
           fmt::format("{}.file: sinks.{} writes this file already", path, earlier->second),
           "one sink a file; several outputs may go to one sink");
  }

  void check_dead_letters() {
    const std::string& topic = app_.dead_letters().topic();
    const std::string path = "dead_letters.topic";
    if (app_.app().empty()) return;
    check_topic_use(path, topic);
    if (const auto source = source_of_topic_.find(topic); source != source_of_topic_.end()) {
      report(path,
             fmt::format("{}: sources.{} reads {}; dead letters would come back as records", path,
                         source->second, topic),
             "give dead letters a topic of their own");
    }
    for (const std::string& name : sorted_names(app_.sinks())) {
      const config::v1::Sink& sink = app_.sinks().at(name);
      if (!sink.has_topic() || sink.topic() != topic) continue;
      report(path,
             fmt::format("{}: sinks.{} writes {}; features and dead letters would mix", path, name,
                         topic),
             "give dead letters a topic of their own");
    }
  }

  void check_resolvers() {
    const std::vector<std::string> sources = names_of("sources");
    const std::vector<std::string> sinks = names_of("sinks");
    std::map<std::string, std::string> heir;  // renamed_from -> resolver
    for (const std::string& name : sorted_names(app_.resolvers())) {
      const config::v1::Resolver& resolver = app_.resolvers().at(name);
      const std::string path = "resolvers." + name;
      check_use(path + ".use", resolver.use());
      if (!resolver.from().empty()) {
        // Without any source that is the finding.
        if (!sources.empty() &&
            !std::binary_search(sources.begin(), sources.end(), resolver.from())) {
          report(
              path + ".from",
              fmt::format("{}.from: there is no source \"{}\"", path, printable(resolver.from())),
              suggestion(resolver.from(), sources, "sources"));
        }
        used_sources_.insert(resolver.from());
      }
      for (const std::string& output : sorted_names(resolver.to())) {
        const std::string& sink = resolver.to().at(output);
        const std::string to = output == "*" ? path + ".to" : fmt::format("{}.to.{}", path, output);
        used_sinks_.insert(sink);
        if (std::binary_search(sinks.begin(), sinks.end(), sink)) continue;
        const std::string hint = sinks.empty() ? "add it under sinks:" : "";
        report(to, fmt::format("{}: there is no sink \"{}\"", to, printable(sink)),
               hint.empty() ? suggestion(sink, sinks, "sinks") : hint);
      }
      check_rename(path + ".renamed_from", name, resolver.renamed_from(), heir);
    }
  }

  void check_use(const std::string& path, const std::string& use) {
    if (use.empty()) return;
    const std::size_t slash = use.find('/');
    const bool fits =
        slash != use.npos && check_name(use.substr(0, slash)) && check_name(use.substr(slash + 1));
    if (fits) return;
    report(path, fmt::format("{}: expected plugin/resolver, found \"{}\"", path, printable(use)),
           "plugin inspect shows the names that a plugin file has");
  }

  void check_rename(const std::string& path, const std::string& name, const std::string& before,
                    std::map<std::string, std::string>& heir) {
    if (before.empty()) return;
    if (before == name) {
      return report(path, fmt::format("{}: that is its own name", path), "remove it");
    }
    if (app_.resolvers().contains(before)) {
      return report(
          path,
          fmt::format("{}: resolvers.{} still has this name, and the State with it", path, before),
          "remove the old resolver, or give this one State of its own");
    }
    if (const auto fits = check_name(before); !fits) {
      return report(path, fmt::format("{}: {}", path, fits.error().message));
    }
    const auto [earlier, is_new] = heir.emplace(before, name);
    if (is_new) return;
    report(path,
           fmt::format("{}: resolvers.{} takes the State of {} already", path, earlier->second,
                       before),
           "State has one heir");
  }

  void check_unused() {
    for (const std::string& name : sorted_names(app_.sources())) {
      if (used_sources_.contains(name)) continue;
      warn("sources." + name, fmt::format("no resolver reads sources.{}", name),
           fmt::format("add from: {} to a resolver, or remove the source", name));
    }
    for (const std::string& name : sorted_names(app_.sinks())) {
      if (used_sinks_.contains(name)) continue;
      warn("sinks." + name, fmt::format("no resolver writes to sinks.{}", name),
           fmt::format("add to: {} to a resolver, or remove the sink", name));
    }
  }

  void check_state() {
    const config::v1::State& state = app_.state();
    if (state.path().empty()) report("state.path", "state.path is empty");
    // A commit and its outbox must fit beside the States of the commit before.
    if (state.commit().bytes() > state.map_size() / 4) {
      report("state.commit.bytes",
             fmt::format("state.commit.bytes: {} does not fit a map of {}",
                         format_size(state.commit().bytes()), format_size(state.map_size())),
             "at most a quarter of state.map_size");
    }
    if (state.live().bytes() > state.map_size()) {
      warn("state.live.bytes",
           fmt::format("state.live.bytes: {} is more than the {} that a task can store",
                       format_size(state.live().bytes()), format_size(state.map_size())),
           "raise state.map_size, or lower this");
    }
  }

  void check_admin() {
    const config::v1::Admin& admin = app_.admin();
    const auto address = parse_listen_address(admin.listen());
    if (!address || address->is_local() || admin.allow_remote()) return;
    report("admin.listen",
           fmt::format("admin.listen: other machines can connect to {}, and nobody is asked for a "
                       "password",
                       address->text()),
           "listen on 127.0.0.1 or unix:PATH, or set admin.allow_remote: true");
  }

  /// The names that the file gives, also those whose values had errors.
  std::vector<std::string> names_of(std::string_view key) const {
    std::vector<std::string> names;
    if (const Node* node = document_.root.find(key)) {
      for (const Entry& entry : node->entries) names.push_back(entry.key);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const Document& document_;
  const config::v1::App& app_;
  const std::filesystem::path& directory_;
  std::vector<Finding> findings_;
  std::map<std::string, std::string> source_of_topic_;
  std::set<std::string> used_sources_;
  std::set<std::string> used_sinks_;
};

}  // namespace

Position position_at(const Document& document, std::string_view path) {
  const Node* node = &document.root;
  Position at{};
  while (!path.empty()) {
    // A key may have dots itself, such as a librdkafka property: then it is the rest of the path.
    const bool is_rest = node->find(path) != nullptr;
    const std::size_t dot = is_rest ? path.size() : std::min(path.find('.'), path.size());
    const std::string_view key = path.substr(0, dot);
    path.remove_prefix(std::min(dot + 1, path.size()));
    if (node->kind == Node::Kind::sequence) {
      std::size_t index = 0;
      const auto [end, code] = std::from_chars(key.data(), key.data() + key.size(), index);
      if (code != std::errc{} || end != key.data() + key.size() || index >= node->items.size()) {
        return at;
      }
      node = &node->items[index];
      at = node->at;
      continue;
    }
    const auto entry = std::find_if(node->entries.begin(), node->entries.end(),
                                    [&](const Entry& e) { return e.key == key; });
    if (entry == node->entries.end()) return at;
    node = &entry->value;
    // A map is where its key is: its own position is that of its first entry.
    at = node->kind == Node::Kind::scalar ? node->at : entry->at;
  }
  return at;
}

void complete_app(config::v1::App& app) {
  if (app.dead_letters().topic().empty()) {
    app.mutable_dead_letters()->set_topic(app.app() + ".deadletters");
  }
  // Settings that do not apply say nothing, also where the effective configuration is printed.
  for (auto& [name, source] : *app.mutable_sources()) {
    if (source.format() != config::v1::JSON) source.clear_unknown_fields();
  }
  for (auto& [name, sink] : *app.mutable_sinks()) {
    if (!sink.has_topic()) {
      sink.clear_partitions();
      sink.clear_partitioner();
    }
    if (sink.format() != config::v1::FORMAT_UNSPECIFIED) continue;
    sink.set_format(sink.has_topic() ? config::v1::PROTOBUF : config::v1::JSON);
  }
}

std::vector<Finding> check_app(const Document& document, const config::v1::App& app,
                               const std::filesystem::path& directory) {
  return Checker(document, app, directory).run();
}

}  // namespace weir::host
