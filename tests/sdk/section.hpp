#pragma once

#include <optional>
#include <string>
#include <vector>

namespace weir::test {

/// Looks into a shared library without loading it.
struct ExportedSymbol {
  std::string name;
  bool unique = false;  ///< STB_GNU_UNIQUE
};

/// Nothing: the file has no such section.
std::optional<std::string> read_section(const std::string& path, const std::string& name);

/// The defined symbols that other libraries can see.
std::vector<ExportedSymbol> exported_symbols(const std::string& path);

}  // namespace weir::test
