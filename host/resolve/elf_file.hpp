#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace weir::host {

/// The parts of a shared library that the lint looks at, read from its bytes without running it.
///
/// Own code because Boost.DLL's library_info reads .symtab only, which a stripped file has not.
/// Every offset is checked against the file: truncated and hostile files give an Error.
struct ElfFile {
  struct Symbol {
    std::string_view name;
    bool defined = false;
    bool visible = false;  ///< other libraries can bind to it
    bool unique = false;   ///< STB_GNU_UNIQUE
    bool function = false;
  };
  struct Section {
    std::string_view name;
    std::string_view bytes;  ///< empty for sections without bytes in the file
  };

  bool is_shared_library = false;  ///< ET_DYN and not a position independent executable
  bool has_text_relocations = false;
  bool has_static_tls = false;
  bool is_nodelete = false;
  std::vector<std::string_view> needed;
  std::string_view run_path;    ///< DT_RUNPATH, else DT_RPATH
  std::vector<Symbol> symbols;  ///< dynamic ones
  std::vector<Section> sections;
  std::string_view build_id;  ///< empty: linked without one

  /// Null: no section of this name. Two of one name: the first.
  const Section* section(std::string_view name) const;

  /// Views into `bytes`, which outlive the result. Errc::invalid: not an ELF file of this machine,
  /// truncated, or its tables contradict each other; the text goes after the file's name.
  static Result<ElfFile> parse(std::string_view bytes);
};

}  // namespace weir::host
