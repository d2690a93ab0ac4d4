#pragma once

#include "resolve/elf_file.hpp"

namespace weir::host {

/// Generated or written code that a second build in the same process would die of.
struct ProtobufCode {
  bool full = false;        ///< registers descriptors
  bool extends = false;     ///< registers extensions
  bool shuts_down = false;  ///< frees the library that it shares with the host
};

/// Goes by the symbols that the file imports from libprotobuf.
ProtobufCode find_protobuf_code(const ElfFile& elf);

}  // namespace weir::host
