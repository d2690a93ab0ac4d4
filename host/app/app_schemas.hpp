#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "resolve/plugin.hpp"
#include "resolve/schemas.hpp"

namespace weir::host {

/// The plugin files of an app, read but not run: their manifests and schemas.
class AppSchemas {
 public:
  /// One plugin file of the app, or why it cannot be used.
  struct File {
    PluginFile file;
    Schemas schemas;
  };

  /// Reads every file. Problems become findings at `plugins.N`; what could be read stays usable.
  static AppSchemas read(const Config& config, std::vector<Finding>& findings);
  /// The same for `paths` in the place of the files that the app names.
  static AppSchemas read(const Config& config, const std::vector<std::filesystem::path>& paths,
                         std::vector<Finding>& findings);

  /// Of files that were read before, beside one another as they are.
  static AppSchemas of(std::vector<PluginFile> files);

  const std::vector<File>& files() const { return files_; }

  /// Null: no plugin of this name.
  const File* plugin(std::string_view name) const;

  /// Checks names, outputs, formats, required fields and settings of every resolver against its
  /// plugin's manifest.
  void check(const Config& config, std::vector<Finding>& findings) const;

  /// Compares the files with what `pins:` says of them. Not for the copies that a restart loads:
  /// those were compared when they came.
  void check_pins(const Config& config, std::vector<Finding>& findings) const;

  /// The one message type that goes to the sinks writing `topic`; null when there is none, or when
  /// there are several.
  const google::protobuf::Descriptor* type_of_topic(const Config& config,
                                                    std::string_view topic) const;

 private:
  std::vector<File> files_;
};

}  // namespace weir::host
