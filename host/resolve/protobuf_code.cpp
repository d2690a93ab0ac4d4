#include "resolve/protobuf_code.hpp"

#include <string_view>

namespace weir::host {

ProtobufCode find_protobuf_code(const ElfFile& elf) {
  constexpr std::string_view internal = "_ZN6google8protobuf8internal";
  ProtobufCode code;
  for (const ElfFile::Symbol& symbol : elf.symbols) {
    if (symbol.defined) continue;
    if (symbol.name == "_ZN6google8protobuf23ShutdownProtobufLibraryEv") code.shuts_down = true;
    if (!symbol.name.starts_with(internal)) continue;
    const std::string_view rest = symbol.name.substr(internal.size());
    if (rest.starts_with("14AddDescriptors") || rest.starts_with("20AddDescriptorsRunner")) {
      code.full = true;
    }
    // RegisterExtension(), RegisterEnumExtension(), RegisterMessageExtension()
    if (rest.starts_with("12ExtensionSet") && rest.find("Register") != std::string_view::npos) {
      code.extends = true;
    }
  }
  return code;
}

}  // namespace weir::host
