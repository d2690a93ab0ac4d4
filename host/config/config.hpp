#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "weir/config/v1/app.pb.h"

namespace google::protobuf {
class Message;
}

namespace weir::host {

/// One thing wrong in a configuration file.
struct Finding {
  enum class Severity { error, warning };
  int line = 0;    ///< 1-based; 0: the file as a whole
  int column = 0;  ///< 1-based, in characters
  std::string message;
  std::string hint;  ///< what to write instead; may be empty
  Severity severity = Severity::error;
};

/// An app's YAML, bound to its schema. Keeps the document, so that a resolver's settings can be
/// bound later, when the plugin's schema is known, with positions of the same file. One thread.
class Config {
 public:
  /// Reads and binds `path`. Findings of schema and cross references (names that do not exist, a
  /// sink that is also the source) are all collected; with any, the result is Errc::config and its
  /// message is render() of them.
  /// `findings`, when not null, gets them one by one as well, warnings too.
  static Result<Config> load(const std::filesystem::path& path,
                             std::vector<Finding>* findings = nullptr);

  /// The same for text that did not come from a file; `name` stands for the path in findings.
  static Result<Config> parse(std::string text, const std::string& name,
                              std::vector<Finding>* findings = nullptr);

  Config(Config&&) noexcept;
  Config& operator=(Config&&) noexcept;
  ~Config();

  /// Complete: every default is filled in, also the log's kind, the dead-letter topic and the
  /// formats of sinks. Only the embedded log's path may be empty, see log_directory().
  const config::v1::App& app() const;
  config::v1::App& mutable_app();

  /// The file, as it was named to load() or parse(): for messages.
  const std::string& name() const;

  /// What is allowed but most likely not meant: a source that nobody reads, a sink without writer.
  const std::vector<Finding>& warnings() const;

  /// `relative` as a path, relative to the directory of the YAML file.
  std::filesystem::path resolve_path(std::string_view relative) const;

  /// The embedded log's directory: the one the file says, or `log` in `state`, the state directory
  /// in use (which may be another than the file's).
  std::filesystem::path log_directory(const std::filesystem::path& state) const;

  /// Binds the `settings:` of a resolver to its settings message: any message whose descriptor is
  /// at hand, generated or dynamic. Absent settings leave the defaults. The options of
  /// options.proto are honoured where the message uses them. Errc::config: render() of everything
  /// that is wrong.
  Result<void> bind_settings(std::string_view resolver, google::protobuf::Message* settings) const;

  /// The same with the findings one by one; empty: bound.
  std::vector<Finding> settings_findings(std::string_view resolver,
                                         google::protobuf::Message* settings) const;

  /// Whether the file says `settings:` for a resolver.
  bool has_settings(std::string_view resolver) const;

  /// The effective configuration as YAML, defaults filled in. Values of sensitive settings and
  /// values read from files by ${file:...} are "***". Resolvers' settings stand as they were
  /// written.
  std::string effective() const;

  /// An error at the value of a path such as "resolvers.count_ips.use" or "plugins.0", for findings
  /// of later checks. Where the file does not say the value (a default), the nearest thing around
  /// it.
  Finding at(std::string_view path, std::string message, std::string hint) const;

  /// Findings as people read them: file:line:col, the line itself, a caret, the hint.
  std::string render(const std::vector<Finding>& findings) const;

 private:
  struct Impl;
  explicit Config(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
