#include "resolve/elf_file.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <elf.h>

#include "base/bytes.hpp"

namespace weir::host {

namespace {

#if defined(__x86_64__)
constexpr std::uint16_t host_machine = EM_X86_64;
constexpr std::string_view host_machine_name = "x86-64";
#elif defined(__aarch64__)
constexpr std::uint16_t host_machine = EM_AARCH64;
constexpr std::string_view host_machine_name = "aarch64";
#else
#error "name this machine's ELF constants"
#endif

std::string machine_name(std::uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "aarch64";
    case EM_386:
      return "i386";
    case EM_ARM:
      return "arm";
    case EM_RISCV:
      return "riscv";
    default:
      return fmt::format("machine {}", machine);
  }
}

/// A bounds-checked look at bytes; a failed look is remembered, so that a parser can read on and
/// ask once.
class Bytes {
 public:
  explicit Bytes(std::string_view all) : all_(all) {}

  std::optional<std::string_view> range(std::uint64_t offset, std::uint64_t size) const {
    if (offset > all_.size() || size > all_.size() - offset) return {};
    return all_.substr(offset, size);
  }

  template <typename T>
  std::optional<T> read(std::uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto bytes = range(offset, sizeof(T));
    if (!bytes) return {};
    T value;
    std::memcpy(&value, bytes->data(), sizeof value);
    return value;
  }

  std::size_t size() const { return all_.size(); }

 private:
  std::string_view all_;
};

/// A name in a string table; absent when it does not end inside.
std::optional<std::string_view> name_at(std::string_view table, std::uint64_t offset) {
  if (offset >= table.size()) return {};
  const std::string_view tail = table.substr(offset);
  const std::size_t end = tail.find('\0');
  if (end == std::string_view::npos) return {};
  return tail.substr(0, end);
}

Error truncated(std::string_view what, std::size_t size) {
  return error(Errc::invalid,
               "it is truncated or garbled: {} lies outside of its {} B; copy it again", what,
               size);
}

Error garbled(std::string_view what) {
  return error(Errc::invalid, "it is garbled: {}; build it again", what);
}

Result<Elf64_Ehdr> read_header(const Bytes& bytes) {
  const auto magic = bytes.range(0, SELFMAG);
  if (!magic || *magic != std::string_view(ELFMAG, SELFMAG)) {
    return error(
        Errc::invalid,
        "it is no ELF file (expected \\x7fELF at its start, found \"{}\"); name the shared "
        "library that weir_add_plugin() builds",
        printable(bytes.range(0, std::min<std::size_t>(SELFMAG, bytes.size())).value()));
  }
  const auto header = bytes.read<Elf64_Ehdr>(0);
  if (!header) return truncated("the ELF header", bytes.size());
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) {
    return error(Errc::invalid,
                 "it is for another kind of machine (expected 64 bit, little-endian); build it for "
                 "{}",
                 host_machine_name);
  }
  if (header->e_machine != host_machine) {
    return error(Errc::invalid, "it is built for {}, this host runs on {}; build it for {}",
                 machine_name(header->e_machine), host_machine_name, host_machine_name);
  }
  if (header->e_type != ET_DYN) {
    return error(Errc::invalid,
                 "it is {}, not a shared library; link it with -shared, or weir_add_plugin()",
                 header->e_type == ET_REL    ? "an object file"
                 : header->e_type == ET_EXEC ? "an executable"
                 : header->e_type == ET_CORE ? "a core dump"
                                             : "of an unknown ELF type");
  }
  if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_shentsize != sizeof(Elf64_Shdr)) {
    return garbled("its header tables have entries of an unknown size");
  }
  return *header;
}

struct Tables {
  std::vector<Elf64_Phdr> segments;
  std::vector<Elf64_Shdr> sections;
};

Result<Tables> read_tables(const Bytes& bytes, const Elf64_Ehdr& header) {
  Tables tables;
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = bytes.read<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
    if (!segment) return truncated(fmt::format("program header {}", i), bytes.size());
    if (segment->p_type == PT_LOAD && !bytes.range(segment->p_offset, segment->p_filesz)) {
      return truncated(fmt::format("the segment of program header {}", i), bytes.size());
    }
    tables.segments.push_back(*segment);
  }
  if (header.e_shnum == 0) {
    return error(Errc::invalid,
                 "it has no section headers, so its manifest cannot be found; `strip` may take the "
                 "symbols but not the sections");
  }
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    const auto section = bytes.read<Elf64_Shdr>(header.e_shoff + i * sizeof(Elf64_Shdr));
    if (!section) return truncated(fmt::format("section header {}", i), bytes.size());
    if (section->sh_type != SHT_NOBITS && !bytes.range(section->sh_offset, section->sh_size)) {
      return truncated(fmt::format("section {}", i), bytes.size());
    }
    tables.sections.push_back(*section);
  }
  return tables;
}

std::string_view section_bytes(const Bytes& bytes, const Elf64_Shdr& section) {
  if (section.sh_type == SHT_NOBITS) return {};
  return bytes.range(section.sh_offset, section.sh_size).value();
}

/// The string table that `section` refers to.
Result<std::string_view> linked_strings(const Bytes& bytes, const Tables& tables,
                                        const Elf64_Shdr& section) {
  if (section.sh_link >= tables.sections.size() ||
      tables.sections[section.sh_link].sh_type != SHT_STRTAB) {
    return garbled("a table of names is missing");
  }
  return section_bytes(bytes, tables.sections[section.sh_link]);
}

Result<void> read_symbols(const Bytes& bytes, const Tables& tables, const Elf64_Shdr& section,
                          ElfFile& file) {
  WEIR_TRY(const std::string_view names, linked_strings(bytes, tables, section));
  const std::uint64_t count = section.sh_size / sizeof(Elf64_Sym);
  file.symbols.reserve(count);
  for (std::uint64_t i = 1; i < count; ++i) {  // entry 0 is always empty
    const auto symbol = bytes.read<Elf64_Sym>(section.sh_offset + i * sizeof(Elf64_Sym)).value();
    const auto name = name_at(names, symbol.st_name);
    if (!name) return garbled(fmt::format("dynamic symbol {} has no name", i));
    const auto bind = ELF64_ST_BIND(symbol.st_info);
    const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    ElfFile::Symbol out;
    out.name = *name;
    out.defined = symbol.st_shndx != SHN_UNDEF;
    out.unique = bind == STB_GNU_UNIQUE;
    out.visible = (bind == STB_GLOBAL || bind == STB_WEAK || out.unique) &&
                  (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
    out.function = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
    file.symbols.push_back(out);
  }
  return {};
}

/// `symbols`: where the section headers say that the dynamic symbols are.
Result<void> read_dynamic(const Bytes& bytes, const Tables& tables, const Elf64_Shdr& section,
                          const Elf64_Shdr& symbols, ElfFile& file) {
  WEIR_TRY(const std::string_view names, linked_strings(bytes, tables, section));
  const auto segment =
      std::ranges::find(tables.segments, Elf64_Word{PT_DYNAMIC}, &Elf64_Phdr::p_type);
  if (segment == tables.segments.end() || segment->p_offset != section.sh_offset) {
    return garbled("its section headers and program headers disagree");
  }
  std::string_view rpath;
  std::uint64_t flags_1 = 0;
  const auto text = [&](std::uint64_t offset) { return name_at(names, offset); };
  for (std::uint64_t i = 0; i < section.sh_size / sizeof(Elf64_Dyn); ++i) {
    const auto entry = bytes.read<Elf64_Dyn>(section.sh_offset + i * sizeof(Elf64_Dyn)).value();
    const std::uint64_t value = entry.d_un.d_val;
    if (entry.d_tag == DT_NULL) break;
    switch (entry.d_tag) {
      case DT_NEEDED:
      case DT_RPATH:
      case DT_RUNPATH: {
        const auto name = text(value);
        if (!name) return garbled("the name of a library that it needs is missing");
        if (entry.d_tag == DT_NEEDED) file.needed.push_back(*name);
        if (entry.d_tag == DT_RPATH) rpath = *name;
        if (entry.d_tag == DT_RUNPATH) file.run_path = *name;
        break;
      }
      case DT_TEXTREL:
        file.has_text_relocations = true;
        break;
      case DT_FLAGS:
        if ((value & DF_TEXTREL) != 0) file.has_text_relocations = true;
        if ((value & DF_STATIC_TLS) != 0) file.has_static_tls = true;
        break;
      case DT_FLAGS_1:
        flags_1 = value;
        break;
      case DT_SYMTAB:
        // The loader goes by this address, the lint by the section: they must be the same.
        if (value != symbols.sh_addr) {
          return garbled("its section headers and dynamic section disagree");
        }
        break;
      default:
        break;
    }
  }
  if (file.run_path.empty()) file.run_path = rpath;
  file.is_nodelete = (flags_1 & DF_1_NODELETE) != 0;
  file.is_shared_library = (flags_1 & DF_1_PIE) == 0;
  return {};
}

/// Looks for the linker's note among the notes of one section.
std::string_view find_build_id(std::string_view notes) {
  const Bytes bytes(notes);
  std::uint64_t at = 0;
  while (const auto note = bytes.read<Elf64_Nhdr>(at)) {
    const std::uint64_t name_at = at + sizeof(Elf64_Nhdr);
    const std::uint64_t text_at =
        name_at + ((std::uint64_t{note->n_namesz} + 3) & ~std::uint64_t{3});
    const auto name = bytes.range(name_at, note->n_namesz);
    const auto text = bytes.range(text_at, note->n_descsz);
    if (!name || !text) break;
    if (note->n_type == NT_GNU_BUILD_ID && *name == std::string_view("GNU\0", 4)) return *text;
    at = text_at + ((std::uint64_t{note->n_descsz} + 3) & ~std::uint64_t{3});
  }
  return {};
}

}  // namespace

const ElfFile::Section* ElfFile::section(std::string_view name) const {
  const auto found = std::ranges::find(sections, name, &Section::name);
  return found == sections.end() ? nullptr : &*found;
}

Result<ElfFile> ElfFile::parse(std::string_view all) {
  const Bytes bytes(all);
  WEIR_TRY(const Elf64_Ehdr header, read_header(bytes));
  WEIR_TRY(const Tables tables, read_tables(bytes, header));
  if (header.e_shstrndx >= tables.sections.size()) return garbled("its section names are missing");
  const std::string_view names = section_bytes(bytes, tables.sections[header.e_shstrndx]);

  ElfFile file;
  const Elf64_Shdr* dynamic = nullptr;
  const Elf64_Shdr* symbols = nullptr;
  for (const Elf64_Shdr& section : tables.sections) {
    if (section.sh_type == SHT_NULL) continue;
    const auto name = name_at(names, section.sh_name);
    if (!name) return garbled("a section has no name");
    file.sections.push_back({*name, section_bytes(bytes, section)});
    if (section.sh_type == SHT_DYNAMIC) dynamic = &section;
    if (section.sh_type == SHT_DYNSYM) symbols = &section;
    if (section.sh_type == SHT_NOTE && file.build_id.empty()) {
      file.build_id = find_build_id(section_bytes(bytes, section));
    }
  }
  if (dynamic == nullptr || symbols == nullptr) {
    return error(Errc::invalid,
                 "it is not a shared library: it has no dynamic section; link it with -shared, or "
                 "weir_add_plugin()");
  }
  WEIR_CHECK(read_symbols(bytes, tables, *symbols, file));
  WEIR_CHECK(read_dynamic(bytes, tables, *dynamic, *symbols, file));
  return file;
}

}  // namespace weir::host
