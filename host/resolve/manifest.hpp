#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace weir::host {

/// What a plugin says of itself without running; the grammar is at the end of <weir/abi.h>.
struct Manifest {
  struct Feature {
    std::string name;
    std::string type;  ///< full Protobuf name in a PluginFile
  };
  struct Resolver {
    std::string name;
    std::string message_type;  ///< empty: takes record bytes
    std::string state_type;    ///< empty: stateless
    std::uint32_t state_version = 0;
    std::uint32_t state_readable_by = 0;  ///< the oldest State version whose code reads these
    std::string settings_type;            ///< empty: takes none
    bool timers = false;                  ///< it has a slot notify
    std::vector<Feature> features;
  };
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  std::string sdk_version;
  std::uint32_t protobuf_version = 0;
  std::string plugin;
  std::string version;
  std::vector<Resolver> resolvers;

  const Resolver* find(std::string_view resolver) const;
};

/// `text` without its NUL. Types stay as they are spelled.
/// Errc::invalid names the line, what was expected and what was found.
Result<Manifest> parse_manifest(std::string_view text);

}  // namespace weir::host
