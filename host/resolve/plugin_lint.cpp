#include "resolve/plugin_lint.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include <cxxabi.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/stubs/common.h>

#include "base/bytes.hpp"
#include "base/counted.hpp"
#include "resolve/elf_file.hpp"
#include "resolve/forbidden_imports.hpp"
#include "resolve/library_search.hpp"
#include "resolve/plugin_bytes.hpp"
#include "resolve/protobuf_code.hpp"
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
    std::optional<ElfFile> elf;
    rule("file", [&] { return read_elf(elf); });
    if (!elf) return;
    elf_ = &*elf;
    rule("exports", [&] { return check_exports(); });
    rule("unload", [&] { return check_unloading(); });
    rule("runtime", [&] { return check_runtime(); });
    rule("manifest", [&] { return check_manifest(); });
    rule("protobuf", [&] { return check_protobuf(); });
    if (has_manifest_) {
      rule("abi", [&] { return check_abi(); });
      rule("schemas", [&] { return check_schemas(); });
    }
    rule("libraries", [&] { return check_libraries(); });
    rule("imports", [&] { return check_imports(); });
  }

 private:
  /// Each check reports what is wrong and returns what it saw.
  template <typename Check>
  void rule(std::string_view name, Check&& check) {
    rule_ = name;
    report_.rules.push_back(rule_);
    const std::size_t before = report_.refusals.size() + report_.warnings.size();
    std::string seen = check();
    if (report_.refusals.size() + report_.warnings.size() == before) {
      report_.passed.push_back({std::string(name), std::move(seen)});
    }
  }

  template <typename... Args>
  void refuse(fmt::format_string<Args...> format, Args&&... args) {
    report_.refusals.push_back({rule_, fmt::format(format, std::forward<Args>(args)...)});
  }
  template <typename... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) {
    report_.warnings.push_back({rule_, fmt::format(format, std::forward<Args>(args)...)});
  }

  std::string read_elf(std::optional<ElfFile>& elf) {
    auto parsed = ElfFile::parse(bytes_);
    if (!parsed) {
      refuse("{}", parsed.error().message);
      return {};
    }
    if (!parsed->is_shared_library) {
      refuse("it is a position independent executable; link it with -shared, or {}", how_to_build);
    }
    report_.file.build_id = to_hex(parsed->build_id);
    elf = *std::move(parsed);
    return fmt::format("{} B, sha256 {}", bytes_.size(), report_.file.sha256);
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

  std::string check_exports() {
    const auto is_entry = [](const ElfFile::Symbol& symbol) {
      return symbol.defined && symbol.visible && symbol.name == WEIR_ENTRY_SYMBOL;
    };
    const auto entry = std::ranges::find_if(elf_->symbols, is_entry);
    if (entry == elf_->symbols.end()) {
      refuse(
          "it does not export {}, the entry function; C++ plugins get it from WEIR_PLUGIN(), "
          "others define it, and {} exports it",
          WEIR_ENTRY_SYMBOL, "weir_add_plugin()");
    } else if (!entry->function) {
      refuse("its {} is data, not a function; define it as <weir/abi.h> says", WEIR_ENTRY_SYMBOL);
    }
    const auto others = symbols([&](const ElfFile::Symbol& symbol) {
      return symbol.defined && symbol.visible && !is_entry(symbol);
    });
    if (!others.empty()) {
      refuse(
          "it exports {} besides {}, which other libraries may bind to instead of their own; {}, "
          "or link with a version script that keeps only {}",
          listed(others), WEIR_ENTRY_SYMBOL, how_to_build, WEIR_ENTRY_SYMBOL);
    }
    return fmt::format("exports {} and nothing else", WEIR_ENTRY_SYMBOL);
  }

  std::string check_unloading() {
    const auto unique =
        symbols([](const ElfFile::Symbol& symbol) { return symbol.defined && symbol.unique; });
    if (!unique.empty()) {
      refuse(
          "it has {} STB_GNU_UNIQUE symbols ({}): two builds would share them and the file would "
          "never be unmapped; {}, or compile with -fno-gnu-unique -fvisibility=hidden "
          "-fvisibility-inlines-hidden",
          unique.size(), listed(unique), how_to_build);
    }
    if (elf_->is_nodelete) {
      refuse(
          "it is marked DF_1_NODELETE, so that it is never unmapped; link without -z "
          "nodelete");
    }
    if (elf_->has_static_tls) {
      refuse(
          "it uses static thread-local storage (DF_STATIC_TLS), of which a running process has "
          "little; compile with -fPIC and without -ftls-model=initial-exec");
    }
    if (elf_->has_text_relocations) {
      refuse("it has text relocations (DT_TEXTREL); compile every object with -fPIC");
    }
    if (imports("__cxa_thread_atexit") || imports("__cxa_thread_atexit_impl")) {
      warn(
          "it has a thread_local with a destructor: a thread of the host that has touched it keeps "
          "the file mapped for good; make it a member of the resolver");
    }
    return "nothing in it keeps it mapped";
  }

  /// A sanitizer's runtime must come first in the process, so the host must have it too.
  std::string check_runtime() {
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
            "it is built with a sanitizer ({}) that this host is not built with; build both with "
            "the same preset",
            library);
      }
    }
    return has_asan || has_tsan ? "fits this host's sanitizer" : "no sanitizer";
  }

  std::string check_protobuf() {
    const ProtobufCode code = find_protobuf_code(*elf_);
    if (code.full) {
      refuse(
          "it has full-runtime Protobuf code (it imports AddDescriptors): loading a second build "
          "would abort the host; {}, or protoc --cpp_out=lite:DIR",
          how_to_build);
    }
    if (code.extends) {
      refuse(
          "it registers Protobuf extensions (it imports ExtensionSet::Register...Extension): "
          "loading a second build would abort the host; leave the .pb.cc of files with `extend`, "
          "such as custom options, out of the plugin");
    }
    if (code.shuts_down) {
      refuse(
          "it calls ShutdownProtobufLibrary(), which would take the host's own Protobuf away; "
          "remove the call");
    }
    return has_manifest_ ? check_protobuf_version() : std::string("no full-runtime code");
  }

  std::string check_manifest() {
    const auto is_manifest = [](const ElfFile::Section& section) {
      return section.name == WEIR_MANIFEST_SECTION;
    };
    const auto section = std::ranges::find_if(elf_->sections, is_manifest);
    if (section == elf_->sections.end()) {
      refuse(
          "it has no section {}; C++ plugins get it from WEIR_PLUGIN(), others from "
          "WEIR_MANIFEST() of <weir/abi.h>",
          WEIR_MANIFEST_SECTION);
      return {};
    }
    const std::string_view text = section->bytes;
    const std::size_t end = text.find('\0');
    if (end == std::string_view::npos) {
      refuse("its manifest of {} B does not end with a NUL; write it as <weir/abi.h> says",
             text.size());
      return {};
    }
    const bool alone = text.find_first_not_of('\0', end) == std::string_view::npos &&
                       std::ranges::count_if(elf_->sections, is_manifest) == 1;
    if (!alone) {
      refuse(
          "it has more than one manifest; a plugin has one WEIR_PLUGIN() or "
          "WEIR_MANIFEST(), in one source file");
      return {};
    }
    auto manifest = parse_manifest(text.substr(0, end));
    if (!manifest) {
      refuse("{}; the grammar is at the end of <weir/abi.h>", manifest.error().message);
      return {};
    }
    report_.file.manifest = *std::move(manifest);
    has_manifest_ = true;
    const Manifest& seen = report_.file.manifest;
    return fmt::format("{} {} with {}", seen.plugin, seen.version,
                       counted(seen.resolvers.size(), "resolver"));
  }

  std::string check_abi() {
    const Manifest& manifest = report_.file.manifest;
    if (manifest.abi_major != WEIR_ABI_MAJOR || manifest.abi_minor > WEIR_ABI_MINOR) {
      refuse(
          "it is built for ABI {}.{}, this host has {}.{} and takes older minors of it as well; "
          "build it against this host's SDK",
          manifest.abi_major, manifest.abi_minor, WEIR_ABI_MAJOR, WEIR_ABI_MINOR);
    }
    return fmt::format(
        "{}.{}, {}", manifest.abi_major, manifest.abi_minor,
        manifest.abi_minor == WEIR_ABI_MINOR ? "as this host" : "which this host speaks too");
  }

  std::string check_protobuf_version() {
    const std::uint32_t version = report_.file.manifest.protobuf_version;
    const bool links = std::ranges::any_of(
        elf_->needed, [](std::string_view name) { return name.starts_with("libprotobuf"); });
    if (version != 0 && version != GOOGLE_PROTOBUF_VERSION) {
      refuse(
          "it is built with Protobuf {}, this host with {}, and both would share one library; "
          "build it with Protobuf {}",
          version_text(version), version_text(GOOGLE_PROTOBUF_VERSION),
          version_text(GOOGLE_PROTOBUF_VERSION));
    }
    if (version == 0 && links) {
      refuse(
          "its manifest says that it has no Protobuf code, but it needs libprotobuf; write "
          "\"protobuf {}\"",
          GOOGLE_PROTOBUF_VERSION);
    }
    return version == 0 ? "none" : fmt::format("{}, lite code", version_text(version));
  }

  std::string check_schemas() {
    Manifest& manifest = report_.file.manifest;
    const bool names_types = std::ranges::any_of(manifest.resolvers, [](const auto& resolver) {
      return !resolver.message_type.empty() || !resolver.state_type.empty() ||
             !resolver.settings_type.empty() || !resolver.features.empty();
    });
    const ElfFile::Section* section = elf_->section(WEIR_SCHEMAS_SECTION);
    if (section == nullptr) {
      if (names_types) {
        refuse(
            "it has no section {}, but its manifest names message types; {} with the .proto "
            "files under PROTOS",
            WEIR_SCHEMAS_SECTION, how_to_build);
      }
      return "none, and no types named";
    }
    report_.file.schemas = section->bytes;
    auto schemas = Schemas::parse(section->bytes);
    if (!schemas) {
      refuse("its section {} cannot be used: {}; {}", WEIR_SCHEMAS_SECTION, schemas.error().message,
             how_to_build);
      return {};
    }
    for (Manifest::Resolver& resolver : manifest.resolvers) {
      check_type(*schemas, resolver.name, "message", resolver.message_type);
      check_type(*schemas, resolver.name, "state", resolver.state_type);
      check_type(*schemas, resolver.name, "settings", resolver.settings_type);
      for (Manifest::Feature& feature : resolver.features) {
        check_type(*schemas, resolver.name, "feature " + feature.name, feature.type);
      }
    }
    return "every type that the manifest names is there";
  }

  void check_type(const Schemas& schemas, std::string_view resolver, std::string_view what,
                  std::string& type) {
    if (type.empty()) return;
    const google::protobuf::Descriptor* found = schemas.resolve(type);
    if (found == nullptr) {
      return refuse(
          "resolver {}: {} names {}, which is not in its schemas; add its .proto file to "
          "PROTOS of weir_add_plugin()",
          resolver, what, type);
    }
    type = found->full_name();
  }

  /// dlopen() has the last word; this only says it earlier, and for all libraries at once.
  std::string check_libraries() {
    if (elf_->run_path.find("$ORIGIN") != std::string_view::npos) {
      warn(
          "its run path {} starts at the file's own directory, but the host loads a private copy "
          "from another one; install its libraries where the loader looks, or use an absolute path",
          elf_->run_path);
    }
    const LibrarySearch search(elf_->run_path);
    for (const std::string_view library : elf_->needed) {
      if (!search.finds(library)) warn("it needs {}, which is not on this machine", library);
    }
    return fmt::format("all {} that it needs are here", elf_->needed.size());
  }

  std::string check_imports() {
    for (const ForbiddenImport& function : forbidden_imports) {
      if (imports(function.symbol)) {
        warn("it imports {}; {}", demangled(function.symbol), function.why);
      }
    }
    return "no clock, chance, threads or process-wide settings";
  }

  LintReport& report_;
  std::string_view bytes_;
  const ElfFile* elf_ = nullptr;
  std::string rule_;
  bool has_manifest_ = false;
};

}  // namespace

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
  WEIR_TRY(const std::string bytes, read_plugin_bytes(path));
  LintReport report = lint_plugin(path, bytes);
  if (!report.refusals.empty()) return refusal(report);
  return std::move(report.file);
}

}  // namespace weir::host
