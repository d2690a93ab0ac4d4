#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/abi.h>

#include "base/result.hpp"
#include "resolve/manifest.hpp"

namespace google::protobuf {
class Descriptor;
class DescriptorPool;
}  // namespace google::protobuf

namespace weir::host {

/// A plugin file that has been read but not run: hash, manifest, schemas, and what the lint says.
struct PluginFile {
  std::filesystem::path path;
  std::string sha256;  ///< of the whole file, hex
  std::uint64_t size_bytes = 0;
  std::string build_id;  ///< hex; empty: linked without one
  Manifest manifest;     ///< type names are full Protobuf names
  std::string schemas;   ///< serialized FileDescriptorSet
  std::vector<std::string> warnings;
};

/// Reads `path` and checks everything that can be checked without running its code: ELF kind,
/// exports, unique symbols, Protobuf flavour, manifest, schemas, types. Errc::refused: the file
/// must not be loaded; the message has every finding, each with its fix.
Result<PluginFile> read_plugin_file(const std::filesystem::path& path);

/// One loaded build of a plugin. Shared by the app that loaded it and by every instance made from
/// it: the file stays mapped until the last of them is gone.
class Plugin {
 public:
  /// Copies the file into `copy_directory` (made if missing, mode 0700) under a name of its own,
  /// and loads the copy: the file at `path` may be overwritten afterwards. [control]
  static Result<std::shared_ptr<Plugin>> load(const std::filesystem::path& path,
                                              const std::filesystem::path& copy_directory);

  /// shutdown(), unload, delete the copy. Logs a warning when the file stays mapped. [control]
  ~Plugin();
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  const PluginFile& file() const;
  const Manifest& manifest() const;

  /// Null: the plugin has none of this name. Lives as long as the Plugin.
  const weir_resolver* resolver(std::string_view name) const;

  /// Null: not in the plugin's schemas. Lives as long as the Plugin. [any]
  const google::protobuf::Descriptor* message(std::string_view full_name) const;

  /// The function table that was given to weir_plugin(). Lives as long as the Plugin.
  const weir_host* host() const;

 private:
  struct Impl;
  explicit Plugin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
