#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/abi.h>

#include "base/logger.hpp"
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

struct PluginLoadOptions {
  /// Lines that the plugin logs, and what the host has to say of it. Called from any thread, also
  /// from several at once, until the Plugin is gone. Empty: they are dropped.
  std::function<void(LogLevel level, std::string_view text)> log;
};

/// One loaded build of a plugin. Shared by the app that loaded it and by every instance made from
/// it: the file stays mapped until the last of them is gone.
class Plugin {
 public:
  /// Reads the file once, checks it as read_plugin_file() does, writes the very bytes that were
  /// checked into `copy_directory` (made if missing, mode 0700) under a name of its own, and loads
  /// that copy: the file at `path` may be overwritten afterwards. `path` may be a symbolic link.
  /// Runs the file's static constructors and its entry function, nothing else of it. A table that
  /// is refused is not shut down. Errc::refused: the file, its table or the directory. [control]
  static Result<std::shared_ptr<Plugin>> load(const std::filesystem::path& path,
                                              const std::filesystem::path& copy_directory,
                                              PluginLoadOptions options = {});

  /// shutdown(), unload, delete the copy. Logs a warning when the file stays mapped; its copy then
  /// stays too. [control]
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

  /// Its number in the journal, 0 until it is told; before instances are made. `unloaded` is called
  /// when it is not mapped any more. [control]
  void set_generation(std::uint16_t number, std::function<void()> unloaded);
  std::uint16_t generation() const;

  /// The private copy that is mapped. is_mapped() of plugin_copy.hpp tells whether it still is.
  const std::filesystem::path& copy_path() const;

 private:
  struct Impl;
  explicit Plugin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::host
