#include "config/config.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "config/bind.hpp"
#include "config/checks.hpp"
#include "config/document.hpp"
#include "config/print.hpp"
#include "weir/config/v1/options.pb.h"

namespace weir::host {

struct Config::Impl {
  Document document;
  std::filesystem::path directory;
  config::v1::App app;
  std::vector<Finding> warnings;
  /// Paths whose values came from files or from sensitive settings; never printed.
  std::set<std::string> secrets;

  const Node* settings_of(std::string_view resolver) const {
    const Node* node = document.root.find("resolvers");
    if (node != nullptr) node = node->find(resolver);
    return node == nullptr ? nullptr : node->find("settings");
  }
};

namespace {

Error config_error(const Document& document, const std::vector<Finding>& findings) {
  return Error{Errc::config, render_findings(document, findings)};
}

/// The paths of sensitive settings that a plugin's message has told about.
void collect_sensitive(const google::protobuf::Descriptor& type, const Node& node,
                       const std::string& path, std::set<std::string>& out) {
  for (const Entry& entry : node.entries) {
    const auto* field = type.FindFieldByName(entry.key);
    if (field == nullptr) continue;
    const std::string at = path + "." + entry.key;
    if (field->options().GetExtension(config::v1::sensitive)) {
      out.insert(at);
    } else if (field->message_type() != nullptr && !field->is_repeated()) {
      collect_sensitive(*field->message_type(), entry.value, at, out);
    }
  }
}

}  // namespace

Config::Config(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Config::Config(Config&&) noexcept = default;
Config& Config::operator=(Config&&) noexcept = default;
Config::~Config() = default;

const std::string& Config::name() const { return impl_->document.name; }

Result<Config> Config::load(const std::filesystem::path& path, std::vector<Finding>* findings) {
  const auto cannot = [&](std::string_view why) {
    return error(Errc::config, "{}: cannot read the app's YAML: {}", path.string(), why);
  };
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return cannot("it is a directory");
  std::ifstream in(path, std::ios::binary);
  if (!in) return cannot(std::strerror(errno));
  std::string text(config_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return cannot(std::strerror(errno));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return parse(std::move(text), path.string(), findings);
}

Result<Config> Config::parse(std::string text, const std::string& name,
                             std::vector<Finding>* all_findings) {
  auto impl = std::make_unique<Impl>();
  impl->document = Document::parse(std::move(text), name);
  impl->directory = std::filesystem::path(name).parent_path();
  const Document& document = impl->document;
  std::vector<Finding> findings = document.findings;
  const auto tell = [&](const std::vector<Finding>& some) {
    if (all_findings != nullptr)
      all_findings->insert(all_findings->end(), some.begin(), some.end());
  };
  if (document.root.kind == Node::Kind::null && !document.complete) {
    tell(findings);
    return config_error(document, findings);
  }

  Binding binding{document, impl->directory};
  binding.fill_messages = true;
  bind_message(binding, &document.root, {}, "", &impl->app);
  config::v1::Log& log = *impl->app.mutable_log();
  if (log.kind_case() == config::v1::Log::KIND_NOT_SET) {
    bind_message(binding, nullptr, {}, "log.embedded", log.mutable_embedded());
  }
  complete_app(impl->app);
  std::vector<Finding> more = std::move(binding.findings);
  impl->secrets = std::move(binding.secrets);
  // Half an app has no cross references to check; and behind a syntax error nothing is certain.
  if (document.complete) {
    for (Finding& finding : check_app(document, impl->app, impl->directory)) {
      const bool is_error = finding.severity == Finding::Severity::error;
      (is_error ? more : impl->warnings).push_back(std::move(finding));
    }
  } else {
    const int last = document.findings.empty() ? 0 : document.findings.back().line;
    std::erase_if(more, [&](const Finding& finding) { return finding.line >= last; });
  }
  findings.insert(findings.end(), more.begin(), more.end());
  tell(findings);
  tell(impl->warnings);
  if (!findings.empty()) return config_error(document, findings);
  return Config(std::move(impl));
}

const config::v1::App& Config::app() const { return impl_->app; }
config::v1::App& Config::mutable_app() { return impl_->app; }
const std::vector<Finding>& Config::warnings() const { return impl_->warnings; }

std::filesystem::path Config::resolve_path(std::string_view relative) const {
  return (impl_->directory / std::filesystem::path(relative)).lexically_normal();
}

std::filesystem::path Config::log_directory(const std::filesystem::path& state) const {
  const std::string& path = impl_->app.log().embedded().path();
  return path.empty() ? state / "log" : resolve_path(path);
}

Result<void> Config::bind_settings(std::string_view resolver,
                                   google::protobuf::Message* settings) const {
  const std::vector<Finding> findings = settings_findings(resolver, settings);
  if (!findings.empty()) return config_error(impl_->document, findings);
  return {};
}

std::vector<Finding> Config::settings_findings(std::string_view resolver,
                                               google::protobuf::Message* settings) const {
  const std::string path = "resolvers." + std::string(resolver) + ".settings";
  const Node* node = impl_->settings_of(resolver);
  Binding binding{impl_->document, impl_->directory};
  settings->Clear();
  bind_message(binding, node, position_at(impl_->document, path), path, settings);
  if (node != nullptr) {
    collect_sensitive(*settings->GetDescriptor(), *node, path, impl_->secrets);
  }
  return std::move(binding.findings);
}

bool Config::has_settings(std::string_view resolver) const {
  return impl_->settings_of(resolver) != nullptr;
}

std::string Config::effective() const {
  return print_yaml(impl_->app, impl_->document.root, impl_->secrets);
}

Finding Config::at(std::string_view path, std::string message, std::string hint) const {
  return make_finding(position_at(impl_->document, path), std::move(message), std::move(hint));
}

std::string Config::render(const std::vector<Finding>& findings) const {
  return render_findings(impl_->document, findings);
}

}  // namespace weir::host
