// Throws out of weir_plugin().
#include <stdexcept>

#include <weir/abi.h>

extern "C" __attribute__((visibility("default"))) const weir_plugin_table* weir_plugin(
    const weir_host*) {
  throw std::runtime_error("thrown by weir_plugin");
}
