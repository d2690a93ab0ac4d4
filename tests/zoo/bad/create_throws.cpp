// Throws out of a noexcept slot: std::terminate().
#include <stdexcept>
#include <string>

#include <weir/abi.h>

extern "C" weir_status zoo_slot(const weir_host*, weir_bytes settings, weir_instance**,
                                weir_call*) noexcept {
  return std::string("settings").at(settings.size + 100) == 's' ? WEIR_OK : WEIR_REJECT;
}
