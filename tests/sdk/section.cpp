#include "section.hpp"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace weir::test {
namespace {

class Elf {
 public:
  explicit Elf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    if (bytes_.size() < sizeof(Elf64_Ehdr) || bytes_.compare(0, 4,
                                                             "\x7f"
                                                             "ELF") != 0) {
      throw std::runtime_error(path + " is no ELF file");
    }
    const auto header = at<Elf64_Ehdr>(0);
    for (std::size_t i = 0; i < header.e_shnum; ++i) {
      sections.push_back(at<Elf64_Shdr>(header.e_shoff + i * header.e_shentsize));
    }
    names_ = content(sections.at(header.e_shstrndx));
  }

  template <class T>
  T at(std::size_t offset) const {
    T value{};
    std::memcpy(&value, bytes_.substr(offset, sizeof value).data(), sizeof value);
    return value;
  }
  std::string content(const Elf64_Shdr& section) const {
    return bytes_.substr(section.sh_offset, section.sh_size);
  }
  std::string name(const Elf64_Shdr& section) const { return names_.c_str() + section.sh_name; }

  std::vector<Elf64_Shdr> sections;

 private:
  std::string bytes_;
  std::string names_;
};

}  // namespace

std::optional<std::string> read_section(const std::string& path, const std::string& name) {
  const Elf elf(path);
  for (const Elf64_Shdr& section : elf.sections) {
    if (elf.name(section) == name) return elf.content(section);
  }
  return std::nullopt;
}

std::vector<ExportedSymbol> exported_symbols(const std::string& path) {
  const Elf elf(path);
  std::vector<ExportedSymbol> found;
  for (const Elf64_Shdr& section : elf.sections) {
    if (section.sh_type != SHT_DYNSYM) continue;
    const std::string names = elf.content(elf.sections.at(section.sh_link));
    for (std::size_t i = 0; i < section.sh_size / sizeof(Elf64_Sym); ++i) {
      const auto symbol = elf.at<Elf64_Sym>(section.sh_offset + i * sizeof(Elf64_Sym));
      const auto bind = ELF64_ST_BIND(symbol.st_info);
      if (symbol.st_shndx == SHN_UNDEF || bind == STB_LOCAL) continue;
      found.push_back({names.c_str() + symbol.st_name, bind == STB_GNU_UNIQUE});
    }
  }
  return found;
}

}  // namespace weir::test
