#include "resolve/plugin_lint.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>

#include <cxxabi.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/stubs/common.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "resolve/elf_file.hpp"
#include "resolve/schemas.hpp"

namespace weir::host {

namespace {

constexpr std::string_view how_to_build = "build it with weir_add_plugin()";

std::string demangled(std::string_view symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(std::string(symbol).c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? std::string(name.get()) : printable(symbol, 200);
}

/// "a, b, c and 4 more"
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t shown_max = 3;
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), shown_max); ++i) {
    out += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > shown_max) out += fmt::format(" and {} more", names.size() - shown_max);
  return out;
}

std::string version_text(std::uint32_t protobuf_version) {
  return fmt::format("{}.{}.{}", protobuf_version / 1'000'000, protobuf_version / 1000 % 1000,
                     protobuf_version % 1000);
}

class Lint {
 public:
  Lint(LintReport& report, std::string_view bytes) : report_(report), bytes_(bytes) {}

  void run() {
    auto elf = ElfFile::parse(bytes_);
    if (!elf) return refuse("file", elf.error().message);
    elf_ = &*elf;
    report_.file.build_id = to_hex(elf->build_id);
    if (!elf->is_shared_library) {
      refuse("file", "it is a position independent executable; link it with -shared, or {}",
             how_to_build);
    }
    check_exports();
    check_unloading();
    check_runtime();
    check_protobuf_flavour();
    if (check_manifest()) {
      check_abi();
      check_protobuf_version();
      check_types();
    }
    check_libraries();
    check_imports();
  }

 private:
  template <typename... Args>
  void refuse(std::string_view rule, fmt::format_string<Args...> format, Args&&... args) {
    report_.refusals.push_back(
        {std::string(rule), fmt::format(format, std::forward<Args>(args)...)});
  }
  void refuse(std::string_view rule, std::string text) {
    report_.refusals.push_back({std::string(rule), std::move(text)});
  }
  template <typename... Args>
  void warn(std::string_view rule, fmt::format_string<Args...> format, Args&&... args) {
    report_.warnings.push_back(
        {std::string(rule), fmt::format(format, std::forward<Args>(args)...)});
  }

  template <typename Predicate>
  std::vector<std::string> symbols(Predicate&& predicate) const {
    std::vector<std::string> out;
    for (const ElfFile::Symbol& symbol : elf_->symbols) {
      if (predicate(symbol)) out.push_back(demangled(symbol.name));
    }
    return out;
  }
  bool imports(std::string_view name) const {
    return std::ranges::any_of(elf_->symbols, [&](const ElfFile::Symbol& symbol) {
      return !symbol.defined && symbol.name == name;
    });
  }

  void check_exports() {
    const auto is_entry = [](const ElfFile::Symbol& symbol) {
      return symbol.defined && symbol.visible && symbol.name == WEIR_ENTRY_SYMBOL;
    };
    const auto entry = std::ranges::find_if(elf_->symbols, is_entry);
    if (entry == elf_->symbols.end()) {
      refuse("exports",
             "it does not export {}, the entry function; C++ plugins get it from WEIR_PLUGIN(), "
             "others define it, and {} exports it",
             WEIR_ENTRY_SYMBOL, "weir_add_plugin()");
    } else if (!entry->function) {
      refuse("exports", "its {} is data, not a function; define it as <weir/abi.h> says",
             WEIR_ENTRY_SYMBOL);
    }
    const auto others = symbols([&](const ElfFile::Symbol& symbol) {
      return symbol.defined && symbol.visible && !is_entry(symbol);
    });
    if (!others.empty()) {
      refuse(
          "exports",
          "it exports {} besides {}, which other libraries may bind to instead of their own; {}, "
          "or link with a version script that keeps only {}",
          listed(others), WEIR_ENTRY_SYMBOL, how_to_build, WEIR_ENTRY_SYMBOL);
    }
  }

  void check_unloading() {
    const auto unique =
        symbols([](const ElfFile::Symbol& symbol) { return symbol.defined && symbol.unique; });
    if (!unique.empty()) {
      refuse(
          "unload",
          "it has {} STB_GNU_UNIQUE symbols ({}): two builds would share them and the file would "
          "never be unmapped; {}, or compile with -fno-gnu-unique -fvisibility=hidden "
          "-fvisibility-inlines-hidden",
          unique.size(), listed(unique), how_to_build);
    }
    if (elf_->is_nodelete) {
      refuse("unload",
             "it is marked DF_1_NODELETE, so that it is never unmapped; link without -z "
             "nodelete");
    }
    if (elf_->has_static_tls) {
      refuse("unload",
             "it uses static thread-local storage (DF_STATIC_TLS), of which a running process has "
             "little; compile with -fPIC and without -ftls-model=initial-exec");
    }
    if (elf_->has_text_relocations) {
      refuse("unload", "it has text relocations (DT_TEXTREL); compile every object with -fPIC");
    }
    if (imports("__cxa_thread_atexit") || imports("__cxa_thread_atexit_impl")) {
      warn(
          "unload",
          "it has a thread_local with a destructor: a thread of the host that has touched it keeps "
          "the file mapped for good; make it a member of the resolver");
    }
  }

  /// A sanitizer's runtime must come first in the process, so the host must have it too.
  void check_runtime() {
#if defined(__SANITIZE_ADDRESS__)
    constexpr bool has_asan = true;
#else
    constexpr bool has_asan = false;
#endif
#if defined(__SANITIZE_THREAD__)
    constexpr bool has_tsan = true;
#else
    constexpr bool has_tsan = false;
#endif
    for (const std::string_view library : elf_->needed) {
      const bool needs_asan = library.starts_with("libasan.");
      const bool needs_tsan = library.starts_with("libtsan.");
      if ((needs_asan && !has_asan) || (needs_tsan && !has_tsan)) {
        refuse(
            "runtime",
            "it is built with a sanitizer ({}) that this host is not built with; build both with "
            "the same preset",
            library);
      }
    }
  }

  void check_protobuf_flavour() {
    constexpr std::string_view internal = "_ZN6google8protobuf8internal";
    bool full = false;
    bool extends = false;
    bool shuts_down = false;
    for (const ElfFile::Symbol& symbol : elf_->symbols) {
      if (symbol.defined) continue;
      const std::string_view name = symbol.name;
      if (name == "_ZN6google8protobuf23ShutdownProtobufLibraryEv") shuts_down = true;
      if (!name.starts_with(internal)) continue;
      const std::string_view rest = name.substr(internal.size());
      full = full || rest.starts_with("14AddDescriptors") ||
             rest.starts_with("20AddDescriptorsRunner");
      extends = extends || (rest.starts_with("12ExtensionSet") &&
                            rest.find("Register") != std::string_view::npos &&
                            rest.find("Extension", 14) != std::string_view::npos);
    }
    if (full) {
      refuse(
          "protobuf",
          "it has full-runtime Protobuf code (it imports AddDescriptors): loading a second build "
          "would abort the host; {}, or protoc --cpp_out=lite:DIR",
          how_to_build);
    }
    if (extends) {
      refuse(
          "protobuf",
          "it registers Protobuf extensions (it imports ExtensionSet::Register...Extension): "
          "loading a second build would abort the host; leave the .pb.cc of files with `extend`, "
          "such as custom options, out of the plugin");
    }
    if (shuts_down) {
      refuse("protobuf",
             "it calls ShutdownProtobufLibrary(), which would take the host's own Protobuf away; "
             "remove the call");
    }
  }

  bool check_manifest() {
    const auto is_manifest = [](const ElfFile::Section& section) {
      return section.name == WEIR_MANIFEST_SECTION;
    };
    const auto section = std::ranges::find_if(elf_->sections, is_manifest);
    if (section == elf_->sections.end()) {
      refuse("manifest",
             "it has no section {}; C++ plugins get it from WEIR_PLUGIN(), others from "
             "WEIR_MANIFEST() of <weir/abi.h>",
             WEIR_MANIFEST_SECTION);
      return false;
    }
    const std::string_view text = section->bytes;
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos) {
      refuse("manifest",
             "its manifest of {} B does not end with a NUL; write it as <weir/abi.h> says",
             text.size());
      return false;
    }
    const bool alone = text.find_first_not_of('\0', end) == std::string_view::npos &&
                       std::ranges::count_if(elf_->sections, is_manifest) == 1;
    if (!alone) {
      refuse("manifest",
             "it has more than one manifest; a plugin has one WEIR_PLUGIN() or "
             "WEIR_MANIFEST(), in one source file");
      return false;
    }
    auto manifest = parse_manifest(text.substr(0, end));
    if (!manifest) {
      refuse("manifest", "{}; the grammar is at the end of <weir/abi.h>", manifest.error().message);
      return false;
    }
    report_.file.manifest = *std::move(manifest);
    return true;
  }

  void check_abi() {
    const Manifest& manifest = report_.file.manifest;
    const bool fits = manifest.abi_major == WEIR_ABI_MAJOR &&
                      (WEIR_ABI_MAJOR == 0 ? manifest.abi_minor == WEIR_ABI_MINOR
                                           : manifest.abi_minor <= WEIR_ABI_MINOR);
    if (!fits) {
      refuse("abi",
             "it is built for ABI {}.{}, this host has {}.{}{}; build it against this host's SDK",
             manifest.abi_major, manifest.abi_minor, WEIR_ABI_MAJOR, WEIR_ABI_MINOR,
             WEIR_ABI_MAJOR == 0 ? " and before 1.0 both must be equal" : "");
    }
  }

  void check_protobuf_version() {
    const std::uint32_t version = report_.file.manifest.protobuf_version;
    const bool links = std::ranges::any_of(
        elf_->needed, [](std::string_view name) { return name.starts_with("libprotobuf"); });
    if (version != 0 && version != GOOGLE_PROTOBUF_VERSION) {
      refuse("protobuf",
             "it is built with Protobuf {}, this host with {}, and both would share one library; "
             "build it with Protobuf {}",
             version_text(version), version_text(GOOGLE_PROTOBUF_VERSION),
             version_text(GOOGLE_PROTOBUF_VERSION));
    }
    if (version == 0 && links) {
      refuse("protobuf",
             "its manifest says that it has no Protobuf code, but it needs libprotobuf; write "
             "\"protobuf {}\"",
             GOOGLE_PROTOBUF_VERSION);
    }
  }

  void check_types() {
    Manifest& manifest = report_.file.manifest;
    const bool names_types = std::ranges::any_of(manifest.resolvers, [](const auto& resolver) {
      return !resolver.message_type.empty() || !resolver.state_type.empty() ||
             !resolver.settings_type.empty() || !resolver.features.empty();
    });
    const ElfFile::Section* section = elf_->section(WEIR_SCHEMAS_SECTION);
    if (section == nullptr) {
      if (names_types) {
        refuse("schemas",
               "it has no section {}, but its manifest names message types; {} with the .proto "
               "files under PROTOS",
               WEIR_SCHEMAS_SECTION, how_to_build);
      }
      return;
    }
    report_.file.schemas = section->bytes;
    auto schemas = Schemas::parse(section->bytes);
    if (!schemas) {
      return refuse("schemas", "its section {} cannot be used: {}; {}", WEIR_SCHEMAS_SECTION,
                    schemas.error().message, how_to_build);
    }
    for (Manifest::Resolver& resolver : manifest.resolvers) {
      check_type(*schemas, resolver.name, "message", resolver.message_type);
      check_type(*schemas, resolver.name, "state", resolver.state_type);
      check_type(*schemas, resolver.name, "settings", resolver.settings_type);
      for (Manifest::Feature& feature : resolver.features) {
        check_type(*schemas, resolver.name, "feature " + feature.name, feature.type);
      }
    }
  }

  void check_type(const Schemas& schemas, std::string_view resolver, std::string_view what,
                  std::string& type) {
    if (type.empty()) return;
    const google::protobuf::Descriptor* found = schemas.resolve(type);
    if (found == nullptr) {
      return refuse("types",
                    "resolver {}: {} names {}, which is not in its schemas; add its .proto file to "
                    "PROTOS of weir_add_plugin()",
                    resolver, what, type);
    }
    type = found->full_name();
  }

  /// dlopen() has the last word; this only says it earlier, and for all libraries at once.
  void check_libraries() {
    if (elf_->run_path.find("$ORIGIN") != std::string_view::npos) {
      warn(
          "libraries",
          "its run path {} starts at the file's own directory, but the host loads a private copy "
          "from another one; install its libraries where the loader looks, or use an absolute path",
          elf_->run_path);
    }
    std::ifstream cache_file("/etc/ld.so.cache", std::ios::binary);
    const std::string cache((std::istreambuf_iterator<char>(cache_file)), {});
    const char* environment = std::getenv("LD_LIBRARY_PATH");
    const std::string path = fmt::format("{}:{}:/lib:/usr/lib:/lib64:/usr/lib64",
                                         environment == nullptr ? "" : environment, elf_->run_path);
    for (const std::string_view library : elf_->needed) {
      const std::string in_cache = fmt::format("/{}{}", library, '\0');
      if (cache.find(in_cache) == std::string::npos && !is_loaded(library) &&
          !is_in(path, library)) {
        warn("libraries", "it needs {}, which is not on this machine", library);
      }
    }
  }

  static bool is_loaded(std::string_view library) {
    void* handle = dlopen(std::string(library).c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (handle != nullptr) dlclose(handle);
    return handle != nullptr;
  }

  static bool is_in(std::string_view directories, std::string_view library) {
    if (library.find('/') != std::string_view::npos) directories = {};
    while (!directories.empty()) {
      const std::size_t colon = directories.find(':');
      const std::filesystem::path directory(directories.substr(0, colon));
      std::error_code ignored;
      if (!directory.empty() && std::filesystem::exists(directory / library, ignored)) return true;
      directories.remove_prefix(colon == std::string_view::npos ? directories.size() : colon + 1);
    }
    return library.find('/') != std::string_view::npos && std::filesystem::exists(library);
  }

  void check_imports() {
    struct Forbidden {
      std::string_view symbol;
      std::string_view why;
    };
    constexpr std::string_view threads = "no thread of a plugin may outlive destroy()";
    constexpr std::string_view process = "it changes the whole process";
    constexpr std::string_view ends = "it would end the host";
    constexpr std::string_view clock = "a resolver reads no clock: use the record's time";
    constexpr std::string_view chance = "a resolver uses no random numbers";
    static constexpr auto forbidden = std::to_array<Forbidden>({
        {"pthread_create", threads},
        {"thrd_create", threads},
        {"_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE",
         threads},
        {"fork", process},
        {"vfork", process},
        {"system", process},
        {"popen", process},
        {"signal", process},
        {"sigaction", process},
        {"setlocale", process},
        {"_ZNSt6locale6globalERKS_", process},
        {"chdir", process},
        {"setenv", process},
        {"unsetenv", process},
        {"putenv", process},
        {"umask", process},
        {"atexit", process},
        {"at_quick_exit", process},
        {"exit", ends},
        {"_exit", ends},
        {"quick_exit", ends},
        {"time", clock},
        {"clock", clock},
        {"gettimeofday", clock},
        {"clock_gettime", clock},
        {"_ZNSt6chrono3_V212system_clock3nowEv", clock},
        {"_ZNSt6chrono3_V212steady_clock3nowEv", clock},
        {"rand", chance},
        {"random", chance},
        {"getrandom", chance},
        {"getentropy", chance},
        {"_ZNSt13random_device9_M_getvalEv", chance},
    });
    for (const Forbidden& function : forbidden) {
      if (imports(function.symbol)) {
        warn("imports", "it imports {}; {}", demangled(function.symbol), function.why);
      }
    }
  }

  LintReport& report_;
  std::string_view bytes_;
  const ElfFile* elf_ = nullptr;
};

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size());
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Error file_error(const std::filesystem::path& path, int number) {
  return error(number == ENOENT ? Errc::not_found : Errc::io, "plugin {} cannot be read: {}",
               path.string(), std::generic_category().message(number));
}

}  // namespace

Result<std::string> read_file_bytes(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return file_error(path, errno);
  struct Close {
    int fd;
    ~Close() { close(fd); }
  } close_at_end{fd};
  struct stat status {};
  if (fstat(fd, &status) != 0) return file_error(path, errno);
  if (!S_ISREG(status.st_mode)) {
    return error(Errc::refused,
                 "plugin {} is refused: file: it is no regular file; name the shared "
                 "library itself",
                 path.string());
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > plugin_file_bytes_max) {
    return error(Errc::refused,
                 "plugin {} is refused: file: it has {} B, the limit is {} B; strip it of its "
                 "debugging information",
                 path.string(), size, plugin_file_bytes_max);
  }
  std::string bytes(size, '\0');
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t count = read(fd, bytes.data() + at, bytes.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error(path, errno);
    if (count == 0) break;  // it became shorter; the lint will say so
    at += static_cast<std::size_t>(count);
  }
  bytes.resize(at);
  return bytes;
}

LintReport lint_plugin(const std::filesystem::path& path, std::string_view bytes) {
  LintReport report;
  report.file.path = path;
  report.file.size_bytes = bytes.size();
  report.file.sha256 = sha256_hex(bytes);
  Lint(report, bytes).run();
  for (const PluginFinding& warning : report.warnings) {
    report.file.warnings.push_back(fmt::format("{}: {}", warning.rule, warning.text));
  }
  return report;
}

Error refusal(const LintReport& report) {
  std::string text = fmt::format("plugin {} is refused:", report.file.path.string());
  const bool several = report.refusals.size() > 1;
  for (const PluginFinding& finding : report.refusals) {
    text += fmt::format("{}{}: {}", several ? "\n  " : " ", finding.rule, finding.text);
  }
  return Error{Errc::refused, std::move(text)};
}

Result<PluginFile> read_plugin_file(const std::filesystem::path& path) {
  WEIR_TRY(const std::string bytes, read_file_bytes(path));
  LintReport report = lint_plugin(path, bytes);
  if (!report.refusals.empty()) return refusal(report);
  return std::move(report.file);
}

}  // namespace weir::host
