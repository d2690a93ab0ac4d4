// Any bytes as an app's YAML: bound, or refused with findings. Never a crash, never slow.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = weir::host::Config::parse(text, "fuzz/app.yaml");
  if (!config) {
    if (config.error().message.empty()) std::abort();
    return 0;
  }
  // What is printed must be an app again, unless something of it is hidden.
  const std::string effective = config->effective();
  if (effective.find("***") != std::string::npos) return 0;
  const auto again = weir::host::Config::parse(effective, "fuzz/app.yaml");
  if (!again || again->effective() != effective) std::abort();
  return 0;
}
