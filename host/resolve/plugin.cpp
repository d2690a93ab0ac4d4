#include "resolve/plugin.hpp"

#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "resolve/call.hpp"
#include "resolve/plugin_bytes.hpp"
#include "resolve/plugin_copy.hpp"
#include "resolve/plugin_lint.hpp"
#include "resolve/schemas.hpp"

namespace weir::host {

namespace {

constexpr std::size_t log_line_bytes_max = 4096;

/// What the plugin holds as its weir_host: the table comes first, so that one pointer is both.
struct HostTable {
  weir_host abi{};
  const PluginLoadOptions* options = nullptr;
};
static_assert(std::is_standard_layout_v<HostTable>, "a pointer to its first member is one to it");

void log_line(const weir_host* host, std::int32_t level, const char* text,
              std::size_t size) noexcept {
  const auto& log = reinterpret_cast<const HostTable*>(host)->options->log;
  if (!log || text == nullptr) return;
  const LogLevel host_level = level <= WEIR_LOG_DEBUG  ? LogLevel::debug
                              : level == WEIR_LOG_INFO ? LogLevel::info
                              : level == WEIR_LOG_WARN ? LogLevel::warn
                                                       : LogLevel::error;
  log(host_level, {text, std::min(size, log_line_bytes_max)});
}

const void* no_extension(const weir_host* /*host*/, const char* /*id*/) noexcept { return nullptr; }

/// What is wrong with one resolver of the table; empty: nothing.
std::string resolver_fault(const weir_resolver& slots, const Manifest::Resolver& manifest) {
  if (!WEIR_HAS(&slots, weir_resolver, notify)) {  // the last one of 1.0
    return fmt::format(
        "its struct_size is {}, expected at least {}; set it to "
        "sizeof(weir_resolver)",
        slots.struct_size, sizeof(weir_resolver));
  }
  if (slots.name == nullptr || manifest.name != slots.name) {
    return fmt::format("its name is {}, the manifest says {}; both list the resolvers in one order",
                       slots.name == nullptr ? "NULL" : '"' + printable(slots.name) + '"',
                       manifest.name);
  }
  const auto missing = [](std::string_view slot) {
    return fmt::format("its slot {} is NULL; it must be set", slot);
  };
  if (slots.create == nullptr) return missing("create");
  if (slots.destroy == nullptr) return missing("destroy");
  if (slots.prepare == nullptr) return missing("prepare");
  if (slots.batch_free == nullptr) return missing("batch_free");
  if (slots.resolve == nullptr) return missing("resolve");
  const int state_slots = (slots.state_load != nullptr ? 1 : 0) +
                          (slots.state_save != nullptr ? 1 : 0) +
                          (slots.state_free != nullptr ? 1 : 0);
  if (!manifest.state_type.empty() && state_slots != 3) {
    return "a slot of state_load, state_save and state_free is NULL, but its manifest names a "
           "State; set all three";
  }
  if (manifest.state_type.empty() && state_slots != 0) {
    return "state_load, state_save or state_free is set, but its manifest names no State; add a "
           "\"state\" line or leave them NULL";
  }
  if (manifest.timers && slots.notify == nullptr) return missing("notify");
  if (!manifest.timers && slots.notify != nullptr) {
    return "notify is set, but its manifest has no timers; add a \"timers\" line or leave it NULL";
  }
  return {};
}

Result<void> check_table(const weir_plugin_table* table, const Manifest& manifest) {
  const auto refused = [&](std::string_view why) {
    return error(Errc::refused, "plugin {} {} is refused: table: {}", manifest.plugin,
                 manifest.version, why);
  };
  if (table == nullptr) {
    return refused(
        fmt::format("its {}() returned NULL: it refuses this host (ABI {}.{}); its log "
                    "lines may say why",
                    WEIR_ENTRY_SYMBOL, WEIR_ABI_MAJOR, WEIR_ABI_MINOR));
  }
  if (!WEIR_HAS(table, weir_plugin_table, get_extension)) {
    return refused(
        fmt::format("its struct_size is {}, expected at least {}; set it to "
                    "sizeof(weir_plugin_table)",
                    table->struct_size, sizeof(weir_plugin_table)));
  }
  if (table->abi_major != manifest.abi_major || table->abi_minor != manifest.abi_minor) {
    return refused(
        fmt::format("it says ABI {}.{}, the manifest says {}.{}; build both from one "
                    "<weir/abi.h>",
                    table->abi_major, table->abi_minor, manifest.abi_major, manifest.abi_minor));
  }
  if (table->resolver_count != manifest.resolvers.size() || table->resolvers == nullptr) {
    return refused(fmt::format("it has {} resolvers, the manifest names {}; both must be equal",
                               table->resolvers == nullptr ? 0 : table->resolver_count,
                               manifest.resolvers.size()));
  }
  for (std::size_t i = 0; i < manifest.resolvers.size(); ++i) {
    const weir_resolver* resolver = table->resolvers[i];
    const std::string fault =
        resolver == nullptr ? "it is NULL" : resolver_fault(*resolver, manifest.resolvers[i]);
    if (!fault.empty()) return refused(fmt::format("resolver {}: {}", i + 1, fault));
  }
  return {};
}

}  // namespace

struct Plugin::Impl {
  PluginFile file;
  PluginLoadOptions options;
  HostTable host;
  std::optional<Schemas> schemas;
  std::optional<PluginCopy> copy;
  boost::dll::shared_library library;
  const weir_plugin_table* table = nullptr;
  bool accepted = false;
  std::uint16_t generation = 0;
  std::function<void()> unloaded;

  Result<void> open();
  ~Impl();
};

Result<void> Plugin::Impl::open() {
  try {
    // The overload with an error code would lose what dlerror() says.
    library.load(copy->path(), boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  } catch (const std::system_error& failure) {
    return error(
        Errc::refused,
        "plugin {} cannot be loaded: {}; install the library it needs, or build it on this "
        "system",
        file.path.string(), failure.what());
  } catch (const std::exception& failure) {
    // A static constructor may also throw past dlopen(), where the process survives it.
    return error(Errc::refused, "plugin {} cannot be loaded: {}", file.path.string(),
                 failure.what());
  }
  host.abi.struct_size = sizeof(weir_host);
  host.abi.abi_major = WEIR_ABI_MAJOR;
  host.abi.abi_minor = file.manifest.abi_minor;  // the lint has seen that the host speaks it
  fill_call_functions(host.abi);
  host.abi.log = log_line;
  host.abi.get_extension = no_extension;
  host.options = &options;
  auto* entry = library.get<const weir_plugin_table*(const weir_host*)>(WEIR_ENTRY_SYMBOL);
  table = call_plugin(entry, &host.abi);
  WEIR_CHECK(check_table(table, file.manifest));
  accepted = true;
  return {};
}

Plugin::Impl::~Impl() {
  if (accepted && table->shutdown != nullptr) call_plugin(table->shutdown);
  if (!library.is_loaded()) return;
  library.unload();
  if (!is_mapped(copy->path())) {
    if (unloaded) unloaded();
    return;
  }
  copy->keep();
  if (options.log) {
    options.log(LogLevel::warn,
                fmt::format("plugin {} {} stays mapped after unloading ({}): most likely a "
                            "thread_local with a destructor that a running thread has used; its "
                            "memory is free again when the host ends",
                            file.manifest.plugin, file.manifest.version, copy->path().string()));
  }
}

Plugin::Plugin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Plugin::~Plugin() = default;

Result<std::shared_ptr<Plugin>> Plugin::load(const std::filesystem::path& path,
                                             const std::filesystem::path& copy_directory,
                                             PluginLoadOptions options) {
  WEIR_TRY(const std::string bytes, read_plugin_bytes(path));
  LintReport report = lint_plugin(path, bytes);
  if (!report.refusals.empty()) return refusal(report);

  auto impl = std::make_unique<Impl>();
  impl->file = std::move(report.file);
  impl->options = std::move(options);
  if (!impl->file.schemas.empty()) {
    WEIR_TRY(impl->schemas, Schemas::parse(impl->file.schemas));
  }
  WEIR_TRY(auto copy,
           PluginCopy::make(copy_directory, impl->file.manifest.plugin, impl->file.sha256, bytes));
  impl->copy.emplace(std::move(copy));
  WEIR_CHECK(impl->open());
  return std::shared_ptr<Plugin>(new Plugin(std::move(impl)));
}

void Plugin::set_generation(std::uint16_t number, std::function<void()> unloaded) {
  impl_->generation = number;
  impl_->unloaded = std::move(unloaded);
}

std::uint16_t Plugin::generation() const { return impl_->generation; }

const PluginFile& Plugin::file() const { return impl_->file; }
const Manifest& Plugin::manifest() const { return impl_->file.manifest; }
const weir_host* Plugin::host() const { return &impl_->host.abi; }
const std::filesystem::path& Plugin::copy_path() const { return impl_->copy->path(); }

const weir_resolver* Plugin::resolver(std::string_view name) const {
  const Manifest::Resolver* found = manifest().find(name);
  if (found == nullptr) return nullptr;
  return impl_->table->resolvers[found - manifest().resolvers.data()];
}

const google::protobuf::Descriptor* Plugin::message(std::string_view full_name) const {
  return impl_->schemas ? impl_->schemas->message(full_name) : nullptr;
}

}  // namespace weir::host
